// A device of a plug-in, opened: its memory, what goes to it and comes back, and what it has to report.
//
// Everything given to a device is done in order and later. The host waits only where it takes something back:
// download(), synchronize(), an Event.
#pragma once

#include "core/download_thread.h"
#include "core/memory_home.h"
#include "core/pinned_memory.h"
#include "core/plugin_loader.h"

namespace videomae {

/// What is known of a device without opening it. Throws Error when there is none of this index.
PluginDevice describe_device(Device device);

class Accelerator {
 public:
  /// Opens the device at first use. Throws Error when there is none, or none of this index.
  static Accelerator& of(Device device);

  explicit Accelerator(Device device);

  Device device() const { return device_; }
  const Plugin& plugin() const { return plugin_; }
  const PluginDevice& description() const { return description_; }
  void* compute_stream() const { return compute_stream_; }
  const Home& memory() const { return memory_; }
  PinnedMemory& pinned() { return pinned_; }
  /// Where kernels report an index that is out of range: the number of their op plus 1.
  int32_t* fault() const { return fault_->data<int32_t>(); }

  /// Copies from the host; `from` has been read when it returns.
  void upload(void* to, const void* from, size_t bytes);
  /// Copies to the host and waits. Reports faults.
  void download(void* to, const void* from, size_t bytes);
  /// The first half of a download: starts it, and gives the block that `from` will have been copied to when
  /// block->wait() returns.
  std::shared_ptr<PinnedMemory::Block> begin_download(const void* from, size_t bytes);
  /// The other half, without waiting here: calls `done` on the device's thread when the block has been copied to, with
  /// what went wrong by then, or null. It must not throw.
  void when_downloaded(std::shared_ptr<PinnedMemory::Block> block, std::function<void(const Error*)> done);
  /// Copies within the device.
  void copy(void* to, const void* from, size_t bytes);
  /// Sets every byte.
  void fill(void* to, uint8_t value, size_t bytes);
  /// Waits for all work. Reports faults.
  void synchronize();
  /// Throws Error when a kernel has met an index out of range, once.
  void report_fault();

  /// Held while something is given to the compute stream, and for as long as a capture lasts: what other threads gave
  /// to the stream meanwhile would become a part of it.
  std::recursive_mutex& compute_stream_mutex() { return compute_stream_mutex_; }

 private:
  const Device device_;
  const Plugin& plugin_;
  const PluginDevice description_;
  void* const compute_stream_;
  Home memory_;
  PinnedMemory pinned_;
  std::unique_ptr<PinnedMemory::Block> fault_;
  std::recursive_mutex compute_stream_mutex_;
  DownloadThread downloads_;
};

}  // namespace videomae
