// What every kernel begins with: the words of CUDA C++ (__global__, threadIdx, dim3, float4 ...) and the barriers.
//
// Under nvcc they are CUDA's own; under a host compiler the emulator's (cuda/emu/language.h), which needs no CUDA
// header.
#pragma once

#include "cuda/device/host_device.h"

#if VIDEOMAE_CUDA
#include <cuda_runtime.h>
#else
#include "cuda/emu/language.h"
#include "cuda/emu/thread.h"
#endif

namespace videomae::cuda {

/// Waits for all threads of the block; what they wrote to shared and global memory is then visible to all of them.
/// Every thread of the block calls it: a thread that has ended before is an error of the kernel.
__device__ __forceinline__ void block_sync() {
#if VIDEOMAE_CUDA
  __syncthreads();
#else
  emu::block_sync();
#endif
}

/// Likewise for the lanes of a full warp.
__device__ __forceinline__ void warp_sync() {
#if VIDEOMAE_CUDA
  __syncwarp();
#else
  emu::warp_sync();
#endif
}

}  // namespace videomae::cuda
