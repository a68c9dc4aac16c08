// The copy engine (capability 9.0): tiles of a 2-D or 3-D tensor between global and shared memory.
//
// A tensor map (tensor_map.cuh) says what the tensor and its box are; kernels take it as a `const __grid_constant__
// CUtensorMap` parameter. Coordinates are in elements, the contiguous axis first, and may lie outside the tensor:
// such elements are filled on load and left alone on store. One thread issues; shared memory is 128-byte aligned, and
// aligned to swizzle_period() when swizzled.
//
// A load completes on an mbarrier, counted as the bytes of the whole box, filled elements included. A store reads
// shared memory that the writers have passed through fence_proxy_async_shared() and a barrier.
#pragma once

#include "cuda/device/mbarrier.cuh"

#if VIDEOMAE_CUDA
#include <cuda.h>
#else
#include "cuda/emu/tensor_map.h"
#endif

namespace videomae::cuda {

__device__ __forceinline__ void tma_prefetch_map(const CUtensorMap& map) {
#if VIDEOMAE_CUDA
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
#else
  (void)map;
#endif
}

__device__ __forceinline__ void tma_load(void* shared, const CUtensorMap& map, int x, int y, Mbarrier* barrier) {
#if VIDEOMAE_CUDA
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
          shared_address(shared)),
      "l"(&map), "r"(x), "r"(y), "r"(shared_address(barrier))
      : "memory");
#else
  emu::tma_load(shared, map, x, y, 0, 2, barrier);
#endif
}

__device__ __forceinline__ void tma_load(void* shared, const CUtensorMap& map, int x, int y, int z, Mbarrier* barrier) {
#if VIDEOMAE_CUDA
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], "
      "[%5];" ::"r"(shared_address(shared)),
      "l"(&map), "r"(x), "r"(y), "r"(z), "r"(shared_address(barrier))
      : "memory");
#else
  emu::tma_load(shared, map, x, y, z, 3, barrier);
#endif
}

__device__ __forceinline__ void tma_store(const CUtensorMap& map, int x, int y, const void* shared) {
#if VIDEOMAE_CUDA
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&map), "r"(x),
               "r"(y), "r"(shared_address(shared))
               : "memory");
#else
  emu::tma_store(map, x, y, 0, 2, shared);
#endif
}

__device__ __forceinline__ void tma_store(const CUtensorMap& map, int x, int y, int z, const void* shared) {
#if VIDEOMAE_CUDA
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%1, %2, %3}], [%4];" ::"l"(&map), "r"(x),
               "r"(y), "r"(z), "r"(shared_address(shared))
               : "memory");
#else
  emu::tma_store(map, x, y, z, 3, shared);
#endif
}

}  // namespace videomae::cuda
