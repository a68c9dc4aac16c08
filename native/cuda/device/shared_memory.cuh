// The block's shared memory. All of it is dynamic: a launch says how many bytes, a kernel lays them out by offsets.
#pragma once

#include <cstddef>

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

#if VIDEOMAE_CUDA
extern __shared__ __align__(1024) unsigned char dynamic_shared_memory[];
#endif

/// The T at `byte_offset` of the block's shared memory, which begins at a multiple of 1024 bytes.
template <class T>
__device__ __forceinline__ T* shared_memory(size_t byte_offset = 0) {
#if VIDEOMAE_CUDA
  return reinterpret_cast<T*>(dynamic_shared_memory + byte_offset);
#else
  return reinterpret_cast<T*>(emu::shared_memory(byte_offset, alignof(T)));
#endif
}

}  // namespace videomae::cuda
