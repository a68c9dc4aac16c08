// Shared memory as PTX names it: a 32-bit address. Only wrappers see such addresses, and descriptors.
#pragma once

#include <cstdint>

namespace videomae::cuda {

__device__ __forceinline__ uint32_t shared_address(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

/// The block's dynamic shared memory from its first multiple of 1024 bytes on, where every swizzle pattern may begin.
/// Launch with kSharedAlignment bytes more than the kernel uses.
constexpr int kSharedAlignment = 1024;

__device__ __forceinline__ unsigned char* dynamic_shared() {
  extern __shared__ unsigned char shared[];
  return shared + (-shared_address(shared) & (kSharedAlignment - 1));
}

/// Makes ordinary stores to shared memory visible to the asynchronous proxy (copy engine, wgmma). Each writing thread
/// calls it, before the barrier behind which another thread starts the asynchronous reader.
__device__ __forceinline__ void fence_proxy_async_shared() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

}  // namespace videomae::cuda
