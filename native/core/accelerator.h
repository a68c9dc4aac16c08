// A device of a plug-in, opened: its memory, what goes to it and comes back, and what it has to report.
//
// Everything given to a device is done in order and later. The host waits only where it takes something back:
// download(), synchronize(), an Event.
#pragma once

#include "core/memory_home.h"
#include "core/pinned_memory.h"
#include "core/plugin_loader.h"

namespace videomae {

class Accelerator {
 public:
  /// Opens the device at first use. Throws Error when there is none, or none of this index.
  static Accelerator& of(Device device);

  explicit Accelerator(Device device);

  Device device() const { return device_; }
  const Plugin& plugin() const { return plugin_; }
  const PluginDevice& description() const { return description_; }
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
  /// Copies within the device.
  void copy(void* to, const void* from, size_t bytes);
  /// Sets every byte.
  void fill(void* to, uint8_t value, size_t bytes);
  /// Waits for all work. Reports faults.
  void synchronize();
  /// Throws Error when a kernel has met an index out of range, once.
  void report_fault();

 private:
  const Device device_;
  const Plugin& plugin_;
  PluginDevice description_;
  Home memory_;
  PinnedMemory pinned_;
  std::unique_ptr<PinnedMemory::Block> fault_;
};

}  // namespace videomae
