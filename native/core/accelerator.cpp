#include "core/accelerator.h"

#include <atomic>
#include <cstring>
#include <map>

#include "core/graph.h"

namespace videomae {
namespace {

using StreamLock = std::lock_guard<std::recursive_mutex>;

class DeviceMemory : public MemorySource {
 public:
  explicit DeviceMemory(Device device) : plugin_(plugin_of(device.kind)), device_(device) {}
  void* take(size_t bytes) override {
    void* data = nullptr;
    call_plugin(plugin_.allocate, device_.index, bytes, &data);
    return data;
  }
  void give_back(void* data) override { call_plugin(plugin_.release, device_.index, data); }
  size_t alignment() const override { return 256; }
  std::string place() const override { return " on " + name_of(device_); }

 private:
  const Plugin& plugin_;
  const Device device_;
};

/// Opens the device; its compute stream.
void* opened(const Plugin& plugin, Device device) {
  void* stream = nullptr;
  call_plugin(plugin.open, device.index, &stream);
  return stream;
}

}  // namespace

PluginDevice describe_device(Device device) {
  const int count = device_count(device.kind);
  if (device.index < 0 || device.index >= count) {
    const std::string last = name_of(Device{device.kind, count - 1});
    throw Error("device", "one of " + std::to_string(count) + " devices, the last of which is " + last,
                name_of(device.kind) + (":" + std::to_string(device.index)));
  }
  PluginDevice description;
  call_plugin(plugin_of(device.kind).describe, device.index, &description);
  return description;
}

Accelerator& Accelerator::of(Device device) {
  static std::mutex mutex;
  // Never destroyed: blocks may be released while the process ends.
  static auto* open = new std::map<std::pair<DeviceKind, int>, std::unique_ptr<Accelerator>>();
  std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<Accelerator>& accelerator = (*open)[{device.kind, device.index}];
  if (!accelerator) accelerator = std::make_unique<Accelerator>(device);
  return *accelerator;
}

Accelerator::Accelerator(Device device)
    : device_(device),
      plugin_(plugin_of(device.kind)),
      description_(describe_device(device)),
      compute_stream_(opened(plugin_, device)),
      memory_(std::make_shared<CachingAllocator>(std::make_unique<DeviceMemory>(device))),
      pinned_(device),
      fault_(std::make_unique<PinnedMemory::Block>(pinned_, sizeof(int32_t))) {
  *fault() = 0;
}

void Accelerator::upload(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  const auto block = std::make_shared<PinnedMemory::Block>(pinned_, bytes);
  std::memcpy(block->data(), from, bytes);
  const StreamLock lock(compute_stream_mutex_);
  call_plugin(plugin_.copy, device_.index, to, static_cast<const void*>(block->data()), bytes, Stream::compute);
  if (Graph* graph = Graph::recorder())
    graph->hold(block);  // it is read at every replay
  else
    block->used_on(Stream::compute);
}

void Accelerator::download(void* to, const void* from, size_t bytes) {
  const auto block = begin_download(from, bytes);
  block->wait();
  if (bytes > 0) std::memcpy(to, block->data(), bytes);
  report_fault();
}

std::shared_ptr<PinnedMemory::Block> Accelerator::begin_download(const void* from, size_t bytes) {
  Graph::refuse_waiting("a read");
  const auto block = std::make_shared<PinnedMemory::Block>(pinned_, bytes);
  if (bytes == 0) return block;
  const StreamLock lock(compute_stream_mutex_);
  call_plugin(plugin_.copy, device_.index, block->data(), from, bytes, Stream::compute);
  block->used_on(Stream::compute);
  return block;
}

void Accelerator::when_downloaded(std::shared_ptr<PinnedMemory::Block> block, std::function<void(const Error*)> done) {
  downloads_.add([this, block = std::move(block), done = std::move(done)] {
    try {
      block->wait();
      report_fault();
    } catch (const Error& error) {
      done(&error);
      return;
    }
    done(nullptr);
  });
}

void Accelerator::copy(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  const StreamLock lock(compute_stream_mutex_);
  call_plugin(plugin_.copy, device_.index, to, from, bytes, Stream::compute);
}

void Accelerator::fill(void* to, uint8_t value, size_t bytes) {
  if (bytes == 0) return;
  const StreamLock lock(compute_stream_mutex_);
  call_plugin(plugin_.fill, device_.index, to, value, bytes, Stream::compute);
}

void Accelerator::synchronize() {
  Graph::refuse_waiting("synchronize()");
  call_plugin(plugin_.synchronize, device_.index);
  report_fault();
}

void Accelerator::report_fault() {
  const int32_t code = __atomic_exchange_n(fault(), 0, __ATOMIC_ACQ_REL);
  if (code != 0)
    throw Error(plugin_.op_name(code - 1), "indices in range", "one out of range on " + name_of(device_),
                "its results are wrong from there on; look at the index tensors that it was given");
}

}  // namespace videomae
