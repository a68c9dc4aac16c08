// Exchange between the lanes of a full warp. T has 4 or 8 bytes. All 32 lanes call.
#pragma once

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

/// The value of lane `lane` modulo 32.
template <class T>
__device__ __forceinline__ T shuffle(T value, int lane) {
#if VIDEOMAE_CUDA
  return __shfl_sync(0xFFFFFFFFu, value, lane);
#else
  return emu::shuffle(emu::Shuffle::from_lane, value, lane);
#endif
}

/// The value of the lane whose number differs in the bits of `mask`.
template <class T>
__device__ __forceinline__ T shuffle_xor(T value, int mask) {
#if VIDEOMAE_CUDA
  return __shfl_xor_sync(0xFFFFFFFFu, value, mask);
#else
  return emu::shuffle(emu::Shuffle::exclusive_or, value, mask);
#endif
}

/// The value of the lane `lanes` further on; beyond the last lane, the own one.
template <class T>
__device__ __forceinline__ T shuffle_down(T value, int lanes) {
#if VIDEOMAE_CUDA
  return __shfl_down_sync(0xFFFFFFFFu, value, lanes);
#else
  return emu::shuffle(emu::Shuffle::down, value, lanes);
#endif
}

/// The value of lane 0.
template <class T>
__device__ __forceinline__ T broadcast(T value) {
  return shuffle(value, 0);
}

/// A bit for every lane whose condition holds.
__device__ __forceinline__ unsigned ballot(bool condition) {
#if VIDEOMAE_CUDA
  return __ballot_sync(0xFFFFFFFFu, condition);
#else
  return emu::ballot(condition);
#endif
}

}  // namespace videomae::cuda
