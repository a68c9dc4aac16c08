// Bulk reduction (capability 9.0): adds a stretch of shared memory to global memory, element by element and
// atomically. Addresses and bytes are multiples of 16. One thread issues and then uses bulk groups; the writers of the
// shared memory have passed fence_proxy_async_shared() and a barrier. The order of additions is not defined: sums are
// the same every time only where addition is exact.
#pragma once

#include <cuda_bf16.h>

#include "cuda/device/bulk_group.cuh"
#include "cuda/device/shared_address.cuh"

namespace videomae::cuda {

__device__ __forceinline__ void bulk_reduce_add(float* global, const float* shared, uint32_t bytes) {
  asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(global),
               "r"(shared_address(shared)), "r"(bytes)
               : "memory");
}

/// Every partial sum is rounded to bf16.
__device__ __forceinline__ void bulk_reduce_add(__nv_bfloat16* global, const __nv_bfloat16* shared, uint32_t bytes) {
  asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.noftz.bf16 [%0], [%1], %2;" ::"l"(global),
               "r"(shared_address(shared)), "r"(bytes)
               : "memory");
}

}  // namespace videomae::cuda
