// One thread a device that waits for copies to the host, however many there are. A device ends them in the order in
// which they began, so waiting for the oldest holds no other up.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace videomae {

/// Never destroyed: its thread waits for work as long as the process lives.
class DownloadThread {
 public:
  DownloadThread();
  DownloadThread(const DownloadThread&) = delete;
  DownloadThread& operator=(const DownloadThread&) = delete;

  /// Calls `wait_and_report` on the thread, after all that were added before. It must not throw.
  void add(std::function<void()> wait_and_report);

 private:
  [[noreturn]] void run();

  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<std::function<void()>> queue_;
};

}  // namespace videomae
