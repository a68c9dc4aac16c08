// Named barriers: 16 a block, number 0 being the block's own. `threads`, a multiple of 32, counts those that sync and
// those that only arrive; a warp counts as a whole.
#pragma once

#include "cuda/device/kernel.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/named_barrier.h"
#endif

namespace videomae::cuda {

__device__ __forceinline__ void named_barrier_sync(int barrier, int threads) {
#if VIDEOMAE_CUDA
  asm volatile("barrier.cta.sync.aligned %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
#else
  emu::named_barrier_sync(barrier, threads);
#endif
}

/// Arrives and goes on.
__device__ __forceinline__ void named_barrier_arrive(int barrier, int threads) {
#if VIDEOMAE_CUDA
  asm volatile("barrier.cta.arrive.aligned %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
#else
  emu::named_barrier_arrive(barrier, threads);
#endif
}

}  // namespace videomae::cuda
