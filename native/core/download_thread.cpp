#include "core/download_thread.h"

#include <thread>

#include "core/sleep_until.h"

namespace videomae {

DownloadThread::DownloadThread() {
  std::thread([this] { run(); }).detach();
}

void DownloadThread::add(std::function<void()> wait_and_report) {
  const std::lock_guard<std::mutex> lock(mutex_);
  queue_.push_back(std::move(wait_and_report));
  added_.notify_one();
}

void DownloadThread::run() {
  for (;;) {
    std::function<void()> oldest;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      sleep_until(added_, lock, [this] { return !queue_.empty(); });
      oldest = std::move(queue_.front());
      queue_.pop_front();
    }
    oldest();
  }
}

}  // namespace videomae
