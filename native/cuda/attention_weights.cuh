// Backward on one block: weights of attention (P or dS) that one warp leaves in shared memory, rounded, and others take
// as the left operand of a product, transposed.
#pragma once

#include "cuda/attention_accumulators.cuh"

namespace videomae::cuda {

/// P or dS of this warp's rows, rounded, into shared memory from column 16 `step` on.
template <class Weights, int blocks, int parts>
__device__ __forceinline__ void put_weights(unsigned char* tile, int row, int step,
                                            const uint32_t (&p)[blocks][parts][4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int n = 0; n < parts; ++n)
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const int to =
            (row + 16 * m + r % 2 * 8) * Weights::row_bytes + Weights::offset(lane / 4, 2 * (step + n) + r / 2);
        *reinterpret_cast<uint32_t*>(tile + to + lane % 4 * 4) = p[m][n][r];
      }
}

/// A^T from a tile: 16 columns (one step) of 16 rows.
template <class Tile>
__device__ __forceinline__ void load_a_transposed(uint32_t (&a)[4], const unsigned char* tile, int row, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  ldmatrix_x4_transposed(
      a, tile + row * Tile::row_bytes + Tile::offset(lane % 8 + lane / 16 * 8, 2 * step + lane / 8 % 2));
}

/// Two chunks of columns (one step) of weights^T times a tile, over `rows` rows: 16 `blocks` rows of a gradient, for
/// the weights' columns from step `column` on, into rows `first` and on of `target`.
template <class Tile, class Weights, int blocks>
__device__ __forceinline__ void weighted_rows(const unsigned char* weights, int column, const unsigned char* tile,
                                              int rows, int step, float factor, unsigned char* target, int first) {
  const bool half = Tile::half_step && step == Tile::steps - 1;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float sum[blocks][2][4];
  clear(sum);
#pragma unroll 2
  for (int row = 0; row < rows; row += 16) {
    uint32_t b[2][2];
    load_b_transposed<Tile>(b, tile, row, step);
#pragma unroll
    for (int m = 0; m < blocks; ++m) {
      uint32_t a[4];
      load_a_transposed<Weights>(a, weights, row, column + m);
      mma_m16n8k16(sum[m][0], a, b[0], sum[m][0]);
      if (!half) mma_m16n8k16(sum[m][1], a, b[1], sum[m][1]);
    }
  }
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int n = 0; n < 2; ++n)
#pragma unroll
      for (int side = 0; side < 2; ++side) {
        if (half && n == 1) continue;
        const int to = (first + 16 * m + 8 * side) * Tile::row_bytes + Tile::offset(lane / 4, 2 * step + n);
        *reinterpret_cast<uint32_t*>(target + to + lane % 4 * 4) =
            pack_bf16(sum[m][n][2 * side] * factor, sum[m][n][2 * side + 1] * factor);
      }
}

}  // namespace videomae::cuda
