// Bulk copy (capability 9.0): a plain stretch of global memory into shared memory, completing on an mbarrier that
// counts its bytes. Addresses and bytes are multiples of 16. One thread issues.
#pragma once

#include "cuda/device/mbarrier.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/bulk_copy.h"
#endif

namespace videomae::cuda {

__device__ __forceinline__ void bulk_load(void* shared, const void* global, uint32_t bytes, Mbarrier* barrier) {
#if VIDEOMAE_CUDA
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   shared_address(shared)),
               "l"(global), "r"(bytes), "r"(shared_address(barrier))
               : "memory");
#else
  emu::bulk_load(shared, global, bytes, barrier);
#endif
}

}  // namespace videomae::cuda
