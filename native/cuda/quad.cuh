// Four neighbouring elements as f32: one access of 8 or 16 bytes where rows allow it, single ones elsewhere.
#pragma once

#include "cuda/device/bfloat16.cuh"

namespace videomae::cuda {

/// Whether quads of a matrix of T can be accessed whole: it begins at a quad, and rows are whole quads apart.
template <class T>
inline bool whole_quads(const T* matrix, int64_t ld) {
  return reinterpret_cast<uintptr_t>(matrix) % (4 * sizeof(T)) == 0 && ld % 4 == 0;
}

__device__ __forceinline__ void load_quad(float (&v)[4], const float* from) {
  const float4 quad = *reinterpret_cast<const float4*>(from);
  v[0] = quad.x, v[1] = quad.y, v[2] = quad.z, v[3] = quad.w;
}

__device__ __forceinline__ void load_quad(float (&v)[4], const bf16* from) {
  const uint2 quad = *reinterpret_cast<const uint2*>(from);
  const float2 low = unpack_bf16(quad.x), high = unpack_bf16(quad.y);
  v[0] = low.x, v[1] = low.y, v[2] = high.x, v[3] = high.y;
}

__device__ __forceinline__ void store_quad(float* to, const float (&v)[4]) {
  *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
}

__device__ __forceinline__ void store_quad(bf16* to, const float (&v)[4]) {
  *reinterpret_cast<uint2*>(to) = make_uint2(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]));
}

/// Likewise for the first `count` elements only, unless `whole`; the others are 0.
template <class T>
__device__ __forceinline__ void load_quad(float (&v)[4], const T* from, bool whole, int count) {
  if (whole) return load_quad(v, from);
#pragma unroll
  for (int i = 0; i < 4; ++i) v[i] = i < count ? cuda::to_float(from[i]) : 0.0f;
}

template <class T>
__device__ __forceinline__ void store_quad(T* to, const float (&v)[4], bool whole, int count) {
  if (whole) return store_quad(to, v);
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (i < count) to[i] = from_float<T>(v[i]);
}

}  // namespace videomae::cuda
