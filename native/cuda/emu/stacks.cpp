#include "cuda/emu/stacks.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <vector>

namespace videomae::cuda::emu {
namespace {

// Stacks of one chunk lie one behind another, the guard first. Their beginnings are 17 cache lines apart modulo a page,
// so that the tops of many stacks do not fall into the same sets of the cache.
constexpr size_t kChunk = 64, kGuard = 4096, kStride = kGuard + kStackBytes;

std::vector<unsigned char*>& chunks() {
  static std::vector<unsigned char*> all;
  return all;
}

}  // namespace

void* stack_low(size_t number) {
  while (chunks().size() <= number / kChunk) {
    void* memory = mmap(nullptr, kChunk * kStride, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    chunks().push_back(static_cast<unsigned char*>(memory));
    for (size_t i = 0; i < kChunk; ++i) mprotect(chunks().back() + i * kStride, kGuard, PROT_NONE);
  }
  return chunks()[number / kChunk] + number % kChunk * kStride + kGuard;
}

bool in_stack_guard(const void* address) {
  for (const unsigned char* chunk : chunks()) {
    const uintptr_t offset = reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(chunk);
    if (offset < kChunk * kStride) return offset % kStride < kGuard;
  }
  return false;
}

}  // namespace videomae::cuda::emu
