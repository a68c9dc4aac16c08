// Backward pass of attention on wgmma: the products of one warpgroup, and what goes between its registers and tiles of
// 64 rows in shared memory, which are named by their offset there. A thread holds parts of two rows of every
// accumulator, `thread / 32 * 16 + thread % 32 / 4` and 8 further (wgmma_layout.h).
#pragma once

#include "cuda/attention_accumulators.cuh"
#include "cuda/device/ldmatrix.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/device/wgmma.cuh"
#include "cuda/hopper/attention_backward_layout.h"

namespace videomae::cuda {

__device__ __forceinline__ uint64_t operand_at(const WgmmaTile& tile, int offset) {
  return encode(tile.descriptor(shared_address(shared_memory<unsigned char>(offset)), 0, 0));
}

/// The descriptor of an operand that lies `bytes` further on: addresses are in the lower half, and do not overflow.
__device__ __forceinline__ uint64_t further(uint64_t descriptor, uint32_t bytes) {
  return (descriptor >> 32 << 32) | (static_cast<uint32_t>(descriptor) + (bytes >> 4));
}

/// Accumulators times `factor`, rounded to bf16: 16 columns a step, as the left operand of a product. Columns that
/// there are none of are zero.
template <int count>
__device__ __forceinline__ void round_columns(uint32_t (&a)[(count + 7) / 8][4], const float (&d)[count],
                                              float factor) {
#pragma unroll
  for (int i = 0; i < (count + 7) / 8 * 4; ++i)
    a[i / 4][i % 4] = 2 * i < count ? pack_bf16(d[2 * i] * factor, d[2 * i + 1] * factor) : 0;
}

/// The place of this lane's row of 8 columns among this warp's 16 rows and the 16 columns of a step, as ldmatrix and
/// stmatrix want them for a left operand.
template <class Tiling>
__device__ __forceinline__ unsigned char* operand_row(int tile, int step) {
  const int thread = static_cast<int>(threadIdx.x) % kWarpgroup, lane = thread % 32;
  return shared_memory<unsigned char>(tile) +
         Tiling::by_rows().offset(thread / 32 * 16 + lane % 16, 16 * step + lane / 16 * 8);
}

/// Own rows of a product: in registers, or in shared memory.
template <class Tiling, bool in_registers>
struct OwnRows {
  uint32_t a[Tiling::steps][4];

  __device__ __forceinline__ explicit OwnRows(int tile) {
#pragma unroll
    for (int k = 0; k < Tiling::steps; ++k) ldmatrix_x4(a[k], operand_row<Tiling>(tile, k)), tie_registers(a[k]);
  }
};

template <class Tiling>
struct OwnRows<Tiling, false> {
  uint64_t descriptor;

  __device__ __forceinline__ explicit OwnRows(int tile) : descriptor(operand_at(Tiling::by_rows(), tile)) {}
};

/// Starts d (64, 64) = own rows (64, K) times those of a tile (64, K)^T.
template <class Tiling, bool in_registers>
__device__ __forceinline__ void start_rows_product(float (&d)[Tiling::rows / 2],
                                                   const OwnRows<Tiling, in_registers>& own, int tile) {
  const uint64_t b = operand_at(Tiling::by_rows(), tile);
  wgmma_fence(d);
#pragma unroll
  for (int k = 0; k < Tiling::steps; ++k) {
    const uint32_t along = Tiling::by_rows().descriptor(0, 0, 16 * k).start;
    if constexpr (in_registers)
      wgmma_registers<Tiling::rows, Major::k>(d, own.a[k], further(b, along), k > 0);
    else
      wgmma_shared<Tiling::rows, Major::k, Major::k>(d, further(own.descriptor, along), further(b, along), k > 0);
  }
  wgmma_commit();
}

/// Starts sum (64, K) += a (64, 64) times a tile (64, K).
template <class Tiling>
__device__ __forceinline__ void start_columns_product(float (&sum)[Tiling::width / 2],
                                                      uint32_t (&a)[Tiling::rows / 16][4], int tile) {
  const uint64_t b = operand_at(Tiling::by_columns(), tile);
#pragma unroll
  for (int k = 0; k < Tiling::rows / 16; ++k) tie_registers(a[k]);
  wgmma_fence(sum);
#pragma unroll
  for (int k = 0; k < Tiling::rows / 16; ++k) {
    const uint32_t along = Tiling::by_columns().descriptor(0, 0, 16 * k).start;
    wgmma_registers<Tiling::width, Major::mn>(sum, a[k], further(b, along), 1);
  }
  wgmma_commit();
}

/// D of this thread's two rows, from gradY and y; the four lanes that hold a row share the work.
template <class Tiling>
__device__ __forceinline__ void tile_dots(float (&dots)[2], int grad_y, int y) {
  const int thread = static_cast<int>(threadIdx.x) % kWarpgroup, lane = thread % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float dot = 0;
#pragma unroll 1  // registers are short while products are under way
    for (int c = 0; c < Tiling::columns; c += 32) {
      const int at = Tiling::by_rows().offset(thread / 32 * 16 + 8 * half + lane / 4, c + lane % 4 * 8);
      const uint4 p = *shared_memory<uint4>(grad_y + at), q = *shared_memory<uint4>(y + at);
      const uint32_t left[4] = {p.x, p.y, p.z, p.w}, right[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        const float2 u = unpack_bf16(left[w]), v = unpack_bf16(right[w]);
        dot += u.x * v.x + u.y * v.y;
      }
    }
    dots[half] = quad_sum(dot);
  }
}

/// Accumulators times `factor`, rounded, over a tile.
template <class Tiling>
__device__ __forceinline__ void put_tile(int tile, const float (&sum)[Tiling::width / 2], float factor) {
  uint32_t rounded[Tiling::steps][4];
  round_columns(rounded, sum, factor);
#pragma unroll
  for (int k = 0; k < Tiling::steps; ++k) stmatrix_x4(operand_row<Tiling>(tile, k), rounded[k]);
}

}  // namespace videomae::cuda
