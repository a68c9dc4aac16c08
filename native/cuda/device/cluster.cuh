// Clusters (capability 9.0): blocks that run at the same time and read each other's shared memory. The size is a launch
// attribute (cudaLaunchAttributeClusterDimension).
#pragma once

#include "cuda/device/shared_address.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/cluster.h"
#endif

namespace videomae::cuda {

/// This block's number in its cluster.
__device__ __forceinline__ uint32_t cluster_rank() {
#if VIDEOMAE_CUDA
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
#else
  return emu::cluster_rank();
#endif
}

/// Blocks in the cluster.
__device__ __forceinline__ uint32_t cluster_size() {
#if VIDEOMAE_CUDA
  uint32_t size;
  asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
  return size;
#else
  return emu::cluster_size();
#endif
}

/// Half of the cluster's barrier: what this thread wrote before is visible to whoever has waited. All threads of all
/// blocks arrive.
__device__ __forceinline__ void cluster_arrive() {
#if VIDEOMAE_CUDA
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
#else
  emu::cluster_arrive();
#endif
}
__device__ __forceinline__ void cluster_wait() {
#if VIDEOMAE_CUDA
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#else
  emu::cluster_wait();
#endif
}

__device__ __forceinline__ void cluster_sync() {
  cluster_arrive();
  cluster_wait();
}

/// Reads block `rank`'s copy of a variable in shared memory. That block must not have ended.
__device__ __forceinline__ uint32_t cluster_load(const uint32_t* shared, uint32_t rank) {
#if VIDEOMAE_CUDA
  uint32_t value;
  asm volatile(
      "{ .reg .b32 there;\n"
      "  mapa.shared::cluster.u32 there, %1, %2;\n"
      "  ld.shared::cluster.u32 %0, [there]; }"
      : "=r"(value)
      : "r"(shared_address(shared)), "r"(rank)
      : "memory");
  return value;
#else
  return emu::cluster_load(shared, rank);
#endif
}

/// Writes block `rank`'s copy of a variable in shared memory.
__device__ __forceinline__ void cluster_store(uint32_t* shared, uint32_t rank, uint32_t value) {
#if VIDEOMAE_CUDA
  asm volatile(
      "{ .reg .b32 there;\n"
      "  mapa.shared::cluster.u32 there, %0, %1;\n"
      "  st.shared::cluster.u32 [there], %2; }" ::"r"(shared_address(shared)),
      "r"(rank), "r"(value)
      : "memory");
#else
  emu::cluster_store(shared, rank, value);
#endif
}

}  // namespace videomae::cuda
