// 2^x of the special-function unit: relative error about 2^-22, subnormals flushed to 0. Source: PTX ISA, "ex2".
#pragma once

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

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

}  // namespace videomae::cuda
