// Exchange between the lanes of a full warp.
#pragma once

namespace videomae::cuda {

template <class T>
__device__ __forceinline__ T shuffle(T value, int lane) {
  return __shfl_sync(0xFFFFFFFFu, value, lane);
}

template <class T>
__device__ __forceinline__ T shuffle_xor(T value, int mask) {
  return __shfl_xor_sync(0xFFFFFFFFu, value, mask);
}

template <class T>
__device__ __forceinline__ T shuffle_down(T value, int lanes) {
  return __shfl_down_sync(0xFFFFFFFFu, value, lanes);
}

}  // namespace videomae::cuda
