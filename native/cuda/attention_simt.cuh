// The two products of attention in f32, on the ordinary multiply-add units: 32 rows of a block's own by 32 rows of the
// other side. A block is 128 threads; 8 lanes share a row. A thread holds rows `row` and `row` + 16, columns
// `lane % 8` + 8 j of 32 x 32 weights, and of rows of the head's width the columns 4 (`lane % 8` + 8 j) and 3 further.
// So what a warp writes of weights only the same warp reads.
//
// Tiles in shared memory hold `padded` columns, zero beyond the head's width, and 4 more for the banks: 8 rows by 16
// bytes lie in different ones.
#pragma once

#include "cuda/attention_operands.cuh"
#include "cuda/device/cp_async.cuh"
#include "cuda/device/exp2.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/device/shuffle.cuh"

namespace videomae::cuda {

constexpr int kSimtThreads = 128, kSimtRows = 32;
constexpr int kWeightStride = kSimtRows + 4;  // floats from row to row of weights in shared memory
template <int padded>
constexpr int kSimtStride = padded + 4;  // likewise of a tile
template <int padded>
constexpr int kSimtTile = kSimtRows * kSimtStride<padded>;  // floats of a tile

__device__ __forceinline__ int simt_row() { return static_cast<int>(threadIdx.x) / 8; }
__device__ __forceinline__ int simt_lane() { return static_cast<int>(threadIdx.x) % 8; }

/// Starts to load 32 rows; rows from `valid` on are zero. Row 0 exists.
/// @param vector  whether rows begin at multiples of 16 bytes and the width is a multiple of 4
template <int padded>
__device__ __forceinline__ void load_simt_rows(float* tile, HeadRows<const float> from, int valid, int width,
                                               bool vector) {
  if (vector) {
    for (int i = static_cast<int>(threadIdx.x); i < kSimtRows * padded / 4; i += kSimtThreads) {
      const int row = i / (padded / 4), column = i % (padded / 4) * 4;
      const bool there = row < valid && column < width;
      cp_async<16>(tile + row * kSimtStride<padded> + column,
                   there ? from.first + row * from.stride + column : from.first, there ? 16 : 0);
    }
  } else {
    for (int i = static_cast<int>(threadIdx.x); i < kSimtRows * padded; i += kSimtThreads) {
      const int row = i / padded, column = i % padded;
      const bool there = row < valid && column < width;
      cp_async<4>(tile + row * kSimtStride<padded> + column,
                  there ? from.first + row * from.stride + column : from.first, there ? 4 : 0);
    }
  }
}

/// Starts to load 32 numbers, zero from `valid` on.
__device__ __forceinline__ void load_simt_terms(float* to, const float* from, int valid) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < kSimtRows) cp_async<4>(to + i, i < valid ? from + i : from, i < valid ? 4 : 0);
}

/// s = A B^T.
template <int padded>
__device__ __forceinline__ void multiply_simt_rows(float (&s)[2][4], const float* a, const float* b) {
  const float *left = a + simt_row() * kSimtStride<padded>, *right = b + simt_lane() * kSimtStride<padded>;
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) s[i][j] = 0;
#pragma unroll 4
  for (int column = 0; column < padded; column += 4) {
    float4 x[2], y[4];
#pragma unroll
    for (int i = 0; i < 2; ++i) x[i] = *reinterpret_cast<const float4*>(left + 16 * i * kSimtStride<padded> + column);
#pragma unroll
    for (int j = 0; j < 4; ++j) y[j] = *reinterpret_cast<const float4*>(right + 8 * j * kSimtStride<padded> + column);
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        s[i][j] += x[i].x * y[j].x;
        s[i][j] += x[i].y * y[j].y;
        s[i][j] += x[i].z * y[j].z;
        s[i][j] += x[i].w * y[j].w;
      }
  }
}

/// Weights into shared memory, for add_simt_products() of the same warp.
__device__ __forceinline__ void put_simt_weights(float* weights, const float (&p)[2][4]) {
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) weights[(simt_row() + 16 * i) * kWeightStride + simt_lane() + 8 * j] = p[i][j];
}

/// sum += P B.
template <int padded>
__device__ __forceinline__ void add_simt_products(float (&sum)[2][padded / 32][4], const float* weights,
                                                  const float* b) {
  const float *left = weights + simt_row() * kWeightStride, *right = b + simt_lane() * 4;
#pragma unroll 4
  for (int k = 0; k < kSimtRows; ++k) {
    const float p[2] = {left[k], left[16 * kWeightStride + k]};
#pragma unroll
    for (int j = 0; j < padded / 32; ++j) {
      const float4 y = *reinterpret_cast<const float4*>(right + k * kSimtStride<padded> + 32 * j);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        sum[i][j][0] += p[i] * y.x;
        sum[i][j][1] += p[i] * y.y;
        sum[i][j][2] += p[i] * y.z;
        sum[i][j][3] += p[i] * y.w;
      }
    }
  }
}

template <int parts>
__device__ __forceinline__ void clear_simt(float (&sum)[2][parts][4]) {
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < parts; ++j)
#pragma unroll
      for (int c = 0; c < 4; ++c) sum[i][j][c] = 0;
}

/// Writes rows [0, valid), times a factor each.
template <int parts>
__device__ __forceinline__ void store_simt_rows(HeadRows<float> to, const float (&sum)[2][parts][4],
                                                const float (&factors)[2], int valid, int width, bool vector) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int row = simt_row() + 16 * i;
    if (row >= valid) continue;
    float* target = to.first + row * to.stride;
#pragma unroll
    for (int j = 0; j < parts; ++j) {
      const int column = 4 * simt_lane() + 32 * j;
      if (vector) {
        if (column < width)
          *reinterpret_cast<float4*>(target + column) =
              make_float4(sum[i][j][0] * factors[i], sum[i][j][1] * factors[i], sum[i][j][2] * factors[i],
                          sum[i][j][3] * factors[i]);
      } else {
#pragma unroll
        for (int c = 0; c < 4; ++c)
          if (column + c < width) target[column + c] = sum[i][j][c] * factors[i];
      }
    }
  }
}

/// Sum over the 8 lanes of a row, on each of them.
__device__ __forceinline__ float simt_row_sum(float value) {
  value += shuffle_xor(value, 1);
  value += shuffle_xor(value, 2);
  return value + shuffle_xor(value, 4);
}

}  // namespace videomae::cuda
