#include "cuda/emu/shared_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
namespace {

constexpr size_t kGuardBytes = 1 << 20, kLargest = 256 << 10, kPage = 4096;
constexpr size_t kMapping = kGuardBytes + kLargest + kGuardBytes;
constexpr unsigned char kMargin = 0xA5;

}  // namespace

size_t largest_shared() {
  static const size_t bytes = [] {
    const char* value = std::getenv("VIDEOMAE_EMU_SHARED_MEMORY");
    const size_t most = size_t{227} << 10;
    return value == nullptr ? most : std::min<size_t>(std::strtoull(value, nullptr, 10), most);
  }();
  return bytes;
}

SharedMemory::~SharedMemory() {
  if (mapping_) munmap(mapping_, kMapping);
}

void SharedMemory::reset(size_t bytes) {
  if (!mapping_) {
    void* memory = mmap(nullptr, kMapping, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mapping_ = static_cast<unsigned char*>(memory);
    data_ = mapping_ + kGuardBytes;
  }
  const size_t open = (bytes + kPage - 1) / kPage * kPage;
  if (open > open_bytes_) mprotect(data_, open, PROT_READ | PROT_WRITE);
  if (open < open_bytes_) mprotect(data_ + open, open_bytes_ - open, PROT_NONE);
  open_bytes_ = open, bytes_ = bytes;
  if (bytes) std::memset(data_, kPoison, bytes);
  if (open > bytes) std::memset(data_ + bytes, kMargin, open - bytes);
}

bool SharedMemory::intact() const {
  for (size_t i = bytes_; i < open_bytes_; ++i) {
    if (data_[i] != kMargin) return false;
  }
  return true;
}

bool SharedMemory::holds(const void* address, size_t bytes) const {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address), from = reinterpret_cast<uintptr_t>(data_);
  return at >= from && bytes <= bytes_ && at - from <= bytes_ - bytes;
}

bool SharedMemory::near(const void* address) const {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address), from = reinterpret_cast<uintptr_t>(mapping_);
  return mapping_ && at >= from && at - from < kMapping;
}

unsigned char* shared_memory(size_t byte_offset, size_t alignment) {
  const SharedMemory& memory = scheduler.current->block->shared;
  if (byte_offset > memory.bytes()) {
    fail("an offset within the block's shared memory", "%zu of %zu bytes", byte_offset, memory.bytes());
  }
  if (byte_offset % alignment) fail("an aligned offset of shared memory", "%zu for %zu", byte_offset, alignment);
  return memory.data() + byte_offset;
}

uint32_t shared_address(const void* shared) {
  const SharedMemory& memory = scheduler.current->block->shared;
  if (!memory.holds(shared, 0)) {
    fail("an address of the block's shared memory", "%p, where it has %zu bytes at %p", shared, memory.bytes(),
         static_cast<void*>(memory.data()));
  }
  return kSharedBase + static_cast<uint32_t>(static_cast<const unsigned char*>(shared) - memory.data());
}

void fence_proxy_async_shared() {
  ThreadClock& clock = scheduler.current->clock;
  ++clock.now;
  clock.fenced = clock.stamp(scheduler.current->block->shadow.epoch());
}

}  // namespace videomae::cuda::emu
