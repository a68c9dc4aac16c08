// mma.sync m16n8k16, bf16 in, f32 out (capability 8.0): d = a b + c for one warp. Fragments: mma_layout.h.
#pragma once

#include <cstdint>

#include "cuda/device/kernel.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/matrix.h"
#endif

namespace videomae::cuda {

/// @param a  16 x 16, @param b  16 x 8, two bf16 a register; @param c, d  16 x 8 f32; d may be c
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                                             const float (&c)[4]) {
#if VIDEOMAE_CUDA
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%10, %11, %12, %13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
#else
  emu::mma_m16n8k16(d, a, b, c);
#endif
}

}  // namespace videomae::cuda
