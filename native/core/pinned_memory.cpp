#include "core/pinned_memory.h"

namespace videomae {
namespace {

class PinnedSource : public MemorySource {
 public:
  explicit PinnedSource(Device device) : plugin_(plugin_of(device.kind)), device_(device) {}
  void* take(size_t bytes) override {
    void* data = nullptr;
    call_plugin(plugin_.allocate_pinned, device_.index, bytes, &data);
    return data;
  }
  void give_back(void* data) override { call_plugin(plugin_.release_pinned, device_.index, data); }
  size_t alignment() const override { return 256; }
  std::string place() const override { return " of the host for " + name_of(device_); }

 private:
  const Plugin& plugin_;
  const Device device_;
};

}  // namespace

PinnedMemory::PinnedMemory(Device device) : device_(device), blocks_(std::make_unique<PinnedSource>(device)) {}

PinnedMemory::Block::Block(PinnedMemory& from, size_t bytes) : from_(from), size_(from.blocks_.rounded(bytes)) {
  from_.collect();
  data_ = from_.blocks_.take(size_);
}

PinnedMemory::Block::~Block() {
  if (used_ == nullptr) {
    from_.blocks_.give_back(data_, size_);
    return;
  }
  std::lock_guard<std::mutex> lock(from_.mutex_);
  from_.pending_.push_back({data_, size_, std::move(used_)});
}

void PinnedMemory::Block::used_on(Stream stream) {
  if (used_ == nullptr) used_ = std::make_unique<Event>(from_.device_);
  used_->record(stream);
}

void PinnedMemory::Block::wait() {
  if (used_ != nullptr) used_->synchronize();
}

void PinnedMemory::collect() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto block = pending_.begin(); block != pending_.end();) {
    if (!block->used->finished()) {
      ++block;
      continue;
    }
    blocks_.give_back(block->data, block->size);
    block = pending_.erase(block);
  }
}

}  // namespace videomae
