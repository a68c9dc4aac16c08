// cp.async (capability 8.0): copies of 4, 8 or 16 bytes from global to shared memory that a thread starts and waits
// for in groups. Of `bytes` only the first `valid` are read; the rest is written as zero. Other threads see the data
// after the copying thread has waited and a barrier.
#pragma once

#include "cuda/device/shared_address.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/cp_async.h"
#endif

namespace videomae::cuda {

/// Both addresses are multiples of `bytes`. 16 bytes pass by the first-level cache.
template <int bytes>
__device__ __forceinline__ void cp_async(void* shared, const void* global, uint32_t valid = bytes) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if VIDEOMAE_CUDA
  if constexpr (bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(valid)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)), "l"(global), "n"(bytes),
                 "r"(valid)
                 : "memory");
  }
#else
  emu::cp_async(shared, global, bytes, valid);
#endif
}

__device__ __forceinline__ void cp_async_commit() {
#if VIDEOMAE_CUDA
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  emu::cp_async_commit();
#endif
}

/// Until at most the `pending` newest groups of this thread are still under way.
template <int pending>
__device__ __forceinline__ void cp_async_wait() {
#if VIDEOMAE_CUDA
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#else
  emu::cp_async_wait(pending);
#endif
}

}  // namespace videomae::cuda
