// The larger of two numbers, and NaN if either is one, where fmaxf() gives the other. Source: PTX ISA, "max" with .NaN.
#pragma once

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

__device__ __forceinline__ float max_nan(float x, float y) {
#if VIDEOMAE_CUDA
  float larger;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(x), "f"(y));
  return larger;
#else
  return x != x || x > y ? x : y;
#endif
}

}  // namespace videomae::cuda
