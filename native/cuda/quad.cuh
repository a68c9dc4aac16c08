// Four neighbouring elements as f32, which may be fewer at the end of a row, or lie where one access cannot reach them
// all.
#pragma once

#include "cuda/elements.cuh"

namespace videomae::cuda {

using Quad = Floats<4>;

/// Whether quads of a matrix of T can be accessed whole: it begins at a quad, and rows are whole quads apart.
template <class T>
bool whole_quads(const T* matrix, int64_t ld) {
  return aligned(4 * sizeof(T), {matrix}) && ld % 4 == 0;
}

/// In one access if `whole`; else the first `count` elements one by one, and 0 for the others.
template <class T>
__device__ __forceinline__ Quad load_quad(const T* from, bool whole, int count) {
  if (whole) return load_floats<4>(from);
  Quad quad;
#pragma unroll
  for (int i = 0; i < 4; ++i) quad.at[i] = i < count ? cuda::to_float(from[i]) : 0.0f;
  return quad;
}

/// Rounds once and writes, in one access if `whole`; else the first `count` elements one by one.
template <class T>
__device__ __forceinline__ void store_quad(T* to, const Quad& quad, bool whole, int count) {
  if (whole) return store_floats<4>(to, quad);
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) to[i] = from_float<T>(quad.at[i]);
}

__device__ __forceinline__ void add_quad(Quad& quad, const Quad& other) {
#pragma unroll
  for (int i = 0; i < 4; ++i) quad.at[i] += other.at[i];
}

}  // namespace videomae::cuda
