// Sums and maxima over the lanes of a warp and the threads of a block, in a fixed order: a function of the block's size
// only, so that results have the same bits every time. NaN propagates through sums and through warp_max.
#pragma once

#include "cuda/device/shuffle.cuh"

namespace videomae::cuda {

/// The larger of two, or NaN when either is one (fmaxf would drop it).
__device__ __forceinline__ float max_or_nan(float a, float b) { return a > b || a != a ? a : b; }

/// The sum over the warp, on every lane: a butterfly, whose additions are the same on all lanes.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

template <class T>
__device__ __forceinline__ T warp_max(T value) {
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) value = max_or_nan(value, shuffle_xor(value, mask));
  return value;
}

/// The sum over a block of whole warps along x, on every thread.
/// @param scratch  shared memory for one T a warp; free again when the call returns
template <class T>
__device__ __forceinline__ T block_sum(T value, T* scratch) {
  value = warp_sum(value);
  const int warps = static_cast<int>(blockDim.x) / 32;
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = value;
  block_sync();
  T sum = scratch[0];
  for (int warp = 1; warp < warps; ++warp) sum += scratch[warp];
  block_sync();
  return sum;
}

/// The maximum over a block of whole warps along x, on every thread; `scratch` as for block_sum().
__device__ __forceinline__ float block_max(float value, float* scratch) {
  value = warp_max(value);
  const int warps = static_cast<int>(blockDim.x) / 32;
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = value;
  block_sync();
  float largest = scratch[0];
  for (int warp = 1; warp < warps; ++warp) largest = max_or_nan(largest, scratch[warp]);
  block_sync();
  return largest;
}

}  // namespace videomae::cuda
