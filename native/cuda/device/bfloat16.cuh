// bf16 in registers: to and from f32, alone and in pairs. Rounding is to nearest even; a NaN stays a NaN.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "cuda/device/kernel.cuh"

#if VIDEOMAE_CUDA
#include <cuda_bf16.h>
#endif

namespace videomae::cuda {

__device__ __forceinline__ float to_float(float value) { return value; }

__device__ __forceinline__ float to_float(bf16 value) {
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
}

__device__ __forceinline__ bf16 to_bf16(float value) {
#if VIDEOMAE_CUDA
  return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
#else
  const uint32_t bits = __float_as_uint(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return {0x7FFF};  // the one NaN that the conversion instruction gives
  return {static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
#endif
}

/// Two values rounded to bf16 in one register, `low` in the low bits.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
#if VIDEOMAE_CUDA
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
#else
  return to_bf16(low).bits | static_cast<uint32_t>(to_bf16(high).bits) << 16;
#endif
}

/// x is the low half.
__device__ __forceinline__ float2 unpack_bf16(uint32_t pair) {
  return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xFFFF0000u));
}

/// From f32 to T, rounded once.
template <class T>
__device__ __forceinline__ T from_float(float value) {
  if constexpr (sizeof(T) == 2) {
    return to_bf16(value);
  } else {
    return value;
  }
}

}  // namespace videomae::cuda
