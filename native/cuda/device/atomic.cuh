// Atomic operations on integers, for probes and for the word that names a fault. Results of ops have none: the order of
// atomic additions is not defined.
#pragma once

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

__device__ __forceinline__ void atomic_add(int* place, int value) {
#if VIDEOMAE_CUDA
  atomicAdd(place, value);
#else
  emu::atomic_add(place, value);
#endif
}

__device__ __forceinline__ void atomic_min(int* place, int value) {
#if VIDEOMAE_CUDA
  atomicMin(place, value);
#else
  emu::atomic_min(place, value);
#endif
}

__device__ __forceinline__ void atomic_max(int* place, int value) {
#if VIDEOMAE_CUDA
  atomicMax(place, value);
#else
  emu::atomic_max(place, value);
#endif
}

}  // namespace videomae::cuda
