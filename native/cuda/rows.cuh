// Kernels with a block a row that read the row again out of cache, for rows that are few or of any length.
#pragma once

#include "cuda/device/shared_memory.cuh"
#include "cuda/elements.cuh"
#include "cuda/reduce.cuh"

namespace videomae::cuda {

/// Starts a kernel with a block a row of `width` elements, and shared memory for block_sum() and block_max().
template <class... Parameters, class... Arguments>
void launch_rows(const Context& context, void (*kernel)(Parameters...), int64_t rows, int64_t width,
                 Arguments... arguments) {
  if (rows <= 0) return;
  const unsigned threads = width <= 128 ? 32 : width <= 512 ? 128 : 256;
  launch(context, kernel, Launch{dim3(static_cast<unsigned>(rows)), dim3(threads), threads / 32 * sizeof(float)},
         arguments...);
}

/// The sum over the block of f(i) for i in [0, width), on every thread.
template <class F>
__device__ __forceinline__ float row_sum(int64_t width, F&& f) {
  float sum = 0;
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) sum += f(i);
  return block_sum(sum, shared_memory<float>());
}

/// The largest element of a row; NaN when there is one.
template <class T>
__device__ __forceinline__ float row_maximum(const T* x, int64_t width) {
  float most = -INFINITY;
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) most = max_or_nan(most, cuda::to_float(x[i]));
  return block_max(most, shared_memory<float>());
}

/// Calls f(i) for i in [0, width).
template <class F>
__device__ __forceinline__ void for_row(int64_t width, F&& f) {
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) f(i);
}

}  // namespace videomae::cuda
