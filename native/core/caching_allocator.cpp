#include "core/caching_allocator.h"

#include <algorithm>

#include "core/error.h"

namespace videomae {
namespace {

std::string megabytes(size_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

}  // namespace

size_t CachingAllocator::rounded(size_t bytes) const {
  size_t step = alignment();
  while (step * 16 < bytes) step *= 2;  // sizes above 8 steps of `step` double the step
  return std::max(alignment(), (bytes + step - 1) / step * step);
}

void* CachingAllocator::take(size_t size) {
  std::lock_guard<std::mutex> lock(mutex_);
  void* data = nullptr;
  auto kept = free_.find(size);
  if (kept != free_.end() && !kept->second.empty()) {
    data = kept->second.back();
    kept->second.pop_back();
    cached_ -= size;
  } else {
    data = ask_source(size);
  }
  live_ += size;
  peak_ = std::max(peak_, live_);
  reserved_ = std::max(reserved_, live_ + cached_);
  return data;
}

void CachingAllocator::give_back(void* data, size_t size) {
  std::lock_guard<std::mutex> lock(mutex_);
  live_ -= size;
  cached_ += size;
  free_[size].push_back(data);
}

void CachingAllocator::empty() {
  std::lock_guard<std::mutex> lock(mutex_);
  release_cached();
}

void CachingAllocator::count_arena(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  arena_ += bytes;
}

MemoryStatistics CachingAllocator::statistics() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return {live_, peak_, cached_, arena_, reserved_, asked_};
}

void CachingAllocator::reset_peak() {
  std::lock_guard<std::mutex> lock(mutex_);
  peak_ = live_;
  reserved_ = live_ + cached_;
}

void* CachingAllocator::ask_source(size_t size) {
  ++asked_;
  void* data = source_->take(size);
  if (data != nullptr) return data;
  const size_t cached = cached_;
  release_cached();
  data = source_->take(size);
  if (data == nullptr)
    throw Error("allocate", megabytes(size) + " of memory" + source_->place(),
                "none (" + megabytes(live_) + " live, " + megabytes(cached) + " cached and given back)",
                "use a smaller batch size or model, or dispose of tensors that are no longer needed");
  return data;
}

void CachingAllocator::release_cached() {
  for (auto& [size, blocks] : free_)
    for (void* block : blocks) source_->give_back(block);
  free_.clear();
  cached_ = 0;
  source_->trim();
}

}  // namespace videomae
