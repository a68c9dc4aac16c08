// 2^x of the special-function unit: relative error about 2^-22, subnormals flushed to 0. Source: PTX ISA, "ex2".
#pragma once

namespace videomae::cuda {

__device__ __forceinline__ float exp2_approximate(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace videomae::cuda
