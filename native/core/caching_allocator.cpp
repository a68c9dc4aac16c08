#include "core/caching_allocator.h"

#include <algorithm>

#include "core/error.h"

namespace videomae {
namespace {

constexpr size_t largest_step = size_t{2} << 20;

std::string megabytes(size_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

}  // namespace

size_t CachingAllocator::rounded(size_t bytes) const {
  size_t step = alignment();
  while (step * 16 < bytes && step < largest_step) step *= 2;  // sizes above 8 steps of `step` double the step
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
  hand_out(size);
  return data;
}

void CachingAllocator::give_back(void* data, size_t size) {
  std::lock_guard<std::mutex> lock(mutex_);
  live_ -= size;
  cached_ += size;
  free_[size].push_back(data);
}

CachingAllocator::Scratch CachingAllocator::take_scratch(size_t size) {
  std::lock_guard<std::mutex> lock(mutex_);
  Scratch scratch{nullptr, size, size};
  auto kept = free_scratch_.lower_bound(size);
  if (kept != free_scratch_.end()) {
    scratch.block = kept->first;
    scratch.data = kept->second.back();
    kept->second.pop_back();
    if (kept->second.empty()) free_scratch_.erase(kept);
    cached_ -= size;  // the rest of the block stays free
  } else {
    release(free_scratch_);
    scratch.data = ask_source(size);
  }
  hand_out(size);
  return scratch;
}

void CachingAllocator::give_back_scratch(const Scratch& scratch) {
  std::lock_guard<std::mutex> lock(mutex_);
  live_ -= scratch.size;
  cached_ += scratch.size;
  free_scratch_[scratch.block].push_back(scratch.data);
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

void CachingAllocator::hand_out(size_t size) {
  live_ += size;
  peak_ = std::max(peak_, live_);
  reserved_ = std::max(reserved_, live_ + cached_);
}

void CachingAllocator::release(FreeBlocks& blocks) {
  for (auto& [size, list] : blocks) {
    for (void* block : list) source_->give_back(block);
    cached_ -= size * list.size();
  }
  blocks.clear();
}

void CachingAllocator::release_cached() {
  release(free_), release(free_scratch_);
  source_->trim();
}

}  // namespace videomae
