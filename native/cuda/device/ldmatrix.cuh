// ldmatrix (capability 8.0) and stmatrix (9.0): 8 x 8 matrices of 16-bit elements between shared memory and the
// registers of a warp. Lane 8 i + r gives the address of row r of matrix i, 16-byte aligned; register i holds matrix i
// as ldmatrix_place() says. All 32 lanes call.
#pragma once

#include "cuda/device/shared_address.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/matrix.h"
#endif

namespace videomae::cuda {

__device__ __forceinline__ void ldmatrix_x2(uint32_t (&r)[2], const void* row) {
#if VIDEOMAE_CUDA
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
#else
  emu::ldmatrix(r, 2, false, row);
#endif
}

__device__ __forceinline__ void ldmatrix_x2_transposed(uint32_t (&r)[2], const void* row) {
#if VIDEOMAE_CUDA
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
#else
  emu::ldmatrix(r, 2, true, row);
#endif
}

__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
#if VIDEOMAE_CUDA
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#else
  emu::ldmatrix(r, 4, false, row);
#endif
}

__device__ __forceinline__ void ldmatrix_x4_transposed(uint32_t (&r)[4], const void* row) {
#if VIDEOMAE_CUDA
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#else
  emu::ldmatrix(r, 4, true, row);
#endif
}

__device__ __forceinline__ void stmatrix_x4(void* row, const uint32_t (&r)[4]) {
#if VIDEOMAE_CUDA
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)), "r"(r[0]),
               "r"(r[1]), "r"(r[2]), "r"(r[3])
               : "memory");
#else
  emu::stmatrix(row, r, 4, false);
#endif
}

__device__ __forceinline__ void stmatrix_x4_transposed(void* row, const uint32_t (&r)[4]) {
#if VIDEOMAE_CUDA
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)),
               "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
               : "memory");
#else
  emu::stmatrix(row, r, 4, true);
#endif
}

}  // namespace videomae::cuda
