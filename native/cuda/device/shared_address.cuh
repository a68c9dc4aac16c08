// Shared memory as PTX names it: a 32-bit address. Only wrappers see such addresses, and descriptors.
#pragma once

#include <cstdint>

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

__device__ __forceinline__ uint32_t shared_address(const void* shared) {
#if VIDEOMAE_CUDA
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
#else
  return emu::shared_address(shared);
#endif
}

/// Makes ordinary stores to shared memory visible to the asynchronous proxy (copy engine, wgmma). Each writing thread
/// calls it, before the barrier behind which another thread starts the asynchronous reader.
__device__ __forceinline__ void fence_proxy_async_shared() {
#if VIDEOMAE_CUDA
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#else
  emu::fence_proxy_async_shared();
#endif
}

}  // namespace videomae::cuda
