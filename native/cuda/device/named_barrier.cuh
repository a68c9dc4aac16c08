// Named barriers: 16 a block, number 0 being the block's own. `threads`, a multiple of 32, counts those that sync and
// those that only arrive; a warp counts as a whole.
#pragma once

namespace videomae::cuda {

__device__ __forceinline__ void named_barrier_sync(int barrier, int threads) {
  asm volatile("barrier.cta.sync.aligned %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

/// Arrives and goes on.
__device__ __forceinline__ void named_barrier_arrive(int barrier, int threads) {
  asm volatile("barrier.cta.arrive.aligned %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

}  // namespace videomae::cuda
