// What happens to accumulators of mma.sync between the products of attention. A thread holds parts of two rows in every
// 16 x 8 block, `lane / 4` and 8 further, and two columns of each, `lane % 4 * 2` and the next (mma_layout.h).
#pragma once

#include "cuda/attention_tile.cuh"
#include "cuda/device/shuffle.cuh"

namespace videomae::cuda {

template <int blocks, int parts>
__device__ __forceinline__ float sum_of_products(const float (&a)[blocks][parts][4],
                                                 const float (&b)[blocks][parts][4]) {
  float sum = 0;
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int n = 0; n < parts; ++n)
#pragma unroll
      for (int r = 0; r < 4; ++r) sum += a[m][n][r] * b[m][n][r];
  return sum;
}

/// Accumulators times `factor`, rounded to bf16, into 16 `blocks` rows of a tile from `row` on.
template <class Tile, int blocks>
__device__ __forceinline__ void put_rows(unsigned char* tile, int row, const float (&sum)[blocks][Tile::chunks][4],
                                         float factor) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int n = 0; n < Tile::chunks; ++n) {
        const int to = (row + 16 * m + 8 * half) * Tile::row_bytes + Tile::offset(lane / 4, n) + lane % 4 * 4;
        *reinterpret_cast<uint32_t*>(tile + to) =
            pack_bf16(sum[m][n][2 * half] * factor, sum[m][n][2 * half + 1] * factor);
      }
}

/// Sum over the four lanes that hold a row of an accumulator, on each of them.
__device__ __forceinline__ float quad_sum(float value) {
  value += shuffle_xor(value, 1);
  return value + shuffle_xor(value, 2);
}

/// Columns from `valid` on become `value`.
template <int blocks, int parts>
__device__ __forceinline__ void mask_columns(float (&s)[blocks][parts][4], int valid, float value) {
  const int first = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int n = 0; n < parts; ++n)
#pragma unroll
      for (int r = 0; r < 4; ++r)
        if (8 * n + first + r % 2 >= valid) s[m][n][r] = value;
}

/// Rows from `valid` on become 0.
template <int blocks, int parts>
__device__ __forceinline__ void mask_rows(float (&s)[blocks][parts][4], int valid) {
  const int first = static_cast<int>(threadIdx.x) % 32 / 4;
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int n = 0; n < parts; ++n)
#pragma unroll
      for (int r = 0; r < 4; ++r)
        if (16 * m + r / 2 * 8 + first >= valid) s[m][n][r] = 0;
}

template <int blocks, int parts>
__device__ __forceinline__ void scale_rows(float (&s)[blocks][parts][4], const float (&factors)[blocks][2]) {
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int n = 0; n < parts; ++n)
#pragma unroll
      for (int r = 0; r < 4; ++r) s[m][n][r] *= factors[m][r / 2];
}

/// @param factors  8 `parts` of them, in shared memory
template <int blocks, int parts>
__device__ __forceinline__ void scale_columns(float (&s)[blocks][parts][4], const float* factors) {
  const int first = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int n = 0; n < parts; ++n) {
    const float2 column = *reinterpret_cast<const float2*>(factors + 8 * n + first);
#pragma unroll
    for (int m = 0; m < blocks; ++m)
#pragma unroll
      for (int r = 0; r < 4; ++r) s[m][n][r] *= r % 2 ? column.y : column.x;
  }
}

/// A number a row of this thread, from (N) in global memory; 0 beyond the last token.
template <int blocks>
__device__ __forceinline__ void read_row_terms(float (&terms)[blocks][2], const float* from, int row, int tokens) {
  row += static_cast<int>(threadIdx.x) % 32 / 4;
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int token = row + 16 * m + 8 * half;
      terms[m][half] = token < tokens ? from[token] : 0;
    }
}

}  // namespace videomae::cuda
