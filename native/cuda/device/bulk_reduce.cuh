// Bulk reduction (capability 9.0): adds a stretch of shared memory to global memory, element by element and
// atomically. Addresses and bytes are multiples of 16. One thread issues and then uses bulk groups; the writers of the
// shared memory have passed fence_proxy_async_shared() and a barrier. The order of additions is not defined: sums are
// the same every time only where addition is exact.
#pragma once

#include "core/dtype.h"
#include "cuda/device/bulk_group.cuh"
#include "cuda/device/shared_address.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/bulk_copy.h"
#endif

namespace videomae::cuda {

__device__ __forceinline__ void bulk_reduce_add(float* global, const float* shared, uint32_t bytes) {
#if VIDEOMAE_CUDA
  asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(global),
               "r"(shared_address(shared)), "r"(bytes)
               : "memory");
#else
  emu::bulk_reduce_f32(global, shared, bytes);
#endif
}

/// Every partial sum is rounded to bf16.
__device__ __forceinline__ void bulk_reduce_add(bf16* global, const bf16* shared, uint32_t bytes) {
#if VIDEOMAE_CUDA
  asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.noftz.bf16 [%0], [%1], %2;" ::"l"(global),
               "r"(shared_address(shared)), "r"(bytes)
               : "memory");
#else
  emu::bulk_reduce_bf16(&global->bits, &shared->bits, bytes);
#endif
}

}  // namespace videomae::cuda
