// 2^x, by the special-function unit or by multiply-add units. The first gives 16 results a clock and multiprocessor,
// where the others do 128 operations: a kernel of many exponentials gives a share of them to a polynomial.
#pragma once

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

/// Relative error about 2^-22, subnormals flushed to 0. Source: PTX ISA, "ex2".
__device__ __forceinline__ float exp2_approximate(float x) {
#if VIDEOMAE_CUDA
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  const float y = std::exp2(x);
  return y < 0x1p-126f ? 0.0f : y;
#endif
}

/// Relative error below 4e-6 for x from -126 to 127; 0 from -127 down, and something below 2^-126 between. NaN gives 0.
/// x is a whole number plus a part in [-1/2, 1/2], of which a polynomial of degree 4 with the least relative error
/// (Remez; exact at 0) makes the mantissa; the whole number is added to the exponent.
__device__ __forceinline__ float exp2_polynomial(float x) {
  constexpr float kRounds = 0x1.8p23f;  // added: the low bits of the sum hold x rounded to a whole number
  x = fmaxf(x, -127.0f);
  const float rounded = x + kRounds, part = x - (rounded - kRounds);
  float power = 0.009782912562325274f;
  power = power * part + 0.0559768836317555f;
  power = power * part + 0.24020711078742374f;
  power = power * part + 0.6931136044030869f;
  power = power * part + 1.0f;
  return __uint_as_float(__float_as_uint(power) + (__float_as_uint(rounded) << 23));
}

}  // namespace videomae::cuda
