// The two products that attention is made of, for one warp on mma.sync m16n8k16, and how rows come and go.
//   multiply_rows:  S (16 m, n) = A (16 m, d) B (n, d)^T      A and B rows in shared memory
//   add_products:   O (16 m, d) += P (16 m, n) B (n, d)       P from registers: what S became
// An S in accumulators is the next product's left operand as it is, rounded to bf16 (mma_layout.h), so probabilities
// never leave the registers. Columns beyond the head's width are zero in shared memory.
#pragma once

#include "cuda/attention_layout.h"
#include "cuda/attention_operands.cuh"
#include "cuda/device/bfloat16.cuh"
#include "cuda/device/cp_async.cuh"
#include "cuda/device/ldmatrix.cuh"
#include "cuda/device/mma_sync.cuh"

namespace videomae::cuda {

// ---- between global and shared memory ----

/// Starts to load `rows` rows into a tile, all threads of the block together. Rows from `valid` on are zero; `from` is
/// row 0 of the tile and has to exist.
/// @tparam any  whether rows may begin anywhere and have any width; else both are multiples of 16 bytes
template <class Tile, bool any>
__device__ __forceinline__ void load_rows(unsigned char* tile, int rows, HeadRows<const bf16> from, int valid,
                                          int width) {
#pragma unroll 1  // the copies are asynchronous, and registers are short
  for (int i = static_cast<int>(threadIdx.x); i < rows * Tile::chunks; i += static_cast<int>(blockDim.x)) {
    const int row = i / Tile::chunks, chunk = i % Tile::chunks;
    const int columns = row < valid ? width - 8 * chunk : 0;
    unsigned char* to = tile + Tile::offset(row, chunk);
    const bf16* source = from.first + row * from.stride + 8 * chunk;
    if constexpr (!any) {
      cp_async<16>(to, columns > 0 ? source : from.first, columns > 0 ? 16 : 0);
    } else {
      uint32_t words[4];
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        const uint32_t low = 2 * w < columns ? source[2 * w].bits : 0;
        const uint32_t high = 2 * w + 1 < columns ? source[2 * w + 1].bits : 0;
        words[w] = low | high << 16;
      }
      *reinterpret_cast<uint4*>(to) = make_uint4(words[0], words[1], words[2], words[3]);
    }
  }
}

/// Starts to load `rows` numbers, one a row, as load_rows() does.
__device__ __forceinline__ void load_row_terms(float* to, int rows, const float* from, int valid) {
  for (int i = static_cast<int>(threadIdx.x); i < rows; i += static_cast<int>(blockDim.x))
    cp_async<4>(to + i, i < valid ? from + i : from, i < valid ? 4 : 0);
}

/// Writes rows [0, valid) of a tile; `threads` threads share the work, of which this is number `thread`.
template <class Tile, bool any>
__device__ __forceinline__ void store_rows(HeadRows<bf16> to, const unsigned char* tile, int first_row, int valid,
                                           int width, int thread, int threads) {
#pragma unroll 1
  for (int i = thread; i < valid * Tile::chunks; i += threads) {
    const int row = i / Tile::chunks, chunk = i % Tile::chunks, columns = width - 8 * chunk;
    const uint4 bits = *reinterpret_cast<const uint4*>(tile + Tile::offset(first_row + row, chunk));
    bf16* target = to.first + row * to.stride + 8 * chunk;
    if constexpr (!any) {
      if (columns > 0) *reinterpret_cast<uint4*>(target) = bits;
    } else {
      const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
      for (int c = 0; c < 8; ++c)
        if (c < columns) target[c] = {static_cast<uint16_t>(words[c / 2] >> 16 * (c % 2))};
    }
  }
}

// ---- fragments ----
// The first row of a fragment is a multiple of 8, so the permutation of chunks depends on the lane alone.

/// A, 16 rows by the columns of one step.
template <class Tile>
__device__ __forceinline__ void load_a(uint32_t (&a)[4], const unsigned char* tile, int row, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (Tile::half_step && step == Tile::steps - 1) {
    uint32_t half[2];
    ldmatrix_x2(half, tile + row * Tile::row_bytes + Tile::offset(lane % 16, 2 * step));
    a[0] = half[0], a[1] = half[1], a[2] = a[3] = 0;
  } else {
    ldmatrix_x4(a, tile + row * Tile::row_bytes + Tile::offset(lane % 16, 2 * step + lane / 16));
  }
}

/// A, 16 `blocks` rows by all columns.
template <class Tile, int blocks>
__device__ __forceinline__ void load_all_a(uint32_t (&a)[Tile::steps][blocks][4], const unsigned char* tile, int row) {
#pragma unroll
  for (int step = 0; step < Tile::steps; ++step)
#pragma unroll
    for (int m = 0; m < blocks; ++m) load_a<Tile>(a[step][m], tile, row + 16 * m, step);
}

/// B^T of two products, from 2 x 8 rows by the columns of one step.
template <class Tile>
__device__ __forceinline__ void load_b(uint32_t (&b)[2][2], const unsigned char* tile, int row, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (Tile::half_step && step == Tile::steps - 1) {
    uint32_t half[2];
    ldmatrix_x2(half, tile + row * Tile::row_bytes + Tile::offset(lane % 16, 2 * step));
    b[0][0] = half[0], b[1][0] = half[1], b[0][1] = b[1][1] = 0;
  } else {
    uint32_t four[4];
    ldmatrix_x4(four, tile + row * Tile::row_bytes + Tile::offset(lane % 8 + lane / 16 * 8, 2 * step + lane / 8 % 2));
    b[0][0] = four[0], b[0][1] = four[1], b[1][0] = four[2], b[1][1] = four[3];
  }
}

/// B of two products, from 16 rows by two chunks of columns.
template <class Tile>
__device__ __forceinline__ void load_b_transposed(uint32_t (&b)[2][2], const unsigned char* tile, int row, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (Tile::half_step && step == Tile::steps - 1) {
    ldmatrix_x2_transposed(b[0], tile + row * Tile::row_bytes + Tile::offset(lane % 16, 2 * step));
  } else {
    uint32_t four[4];
    ldmatrix_x4_transposed(four, tile + row * Tile::row_bytes + Tile::offset(lane % 16, 2 * step + lane / 16));
    b[0][0] = four[0], b[0][1] = four[1], b[1][0] = four[2], b[1][1] = four[3];
  }
}

// ---- products ----

template <int blocks, int chunks>
__device__ __forceinline__ void clear(float (&sum)[blocks][chunks][4]) {
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int n = 0; n < chunks; ++n)
#pragma unroll
      for (int r = 0; r < 4; ++r) sum[m][n][r] = 0;
}

/// s = A B^T: 16 `blocks` rows of A from `left_row` on, 8 `parts` rows of B from `row` on.
template <class Tile, int blocks, int parts>
__device__ __forceinline__ void multiply_rows(float (&s)[blocks][parts][4], const unsigned char* left, int left_row,
                                              const unsigned char* tile, int row) {
  clear(s);
#pragma unroll
  for (int step = 0; step < Tile::steps; ++step) {
    uint32_t a[blocks][4];
#pragma unroll
    for (int m = 0; m < blocks; ++m) load_a<Tile>(a[m], left, left_row + 16 * m, step);
#pragma unroll
    for (int n = 0; n < parts; n += 2) {
      uint32_t b[2][2];
      load_b<Tile>(b, tile, row + 8 * n, step);
#pragma unroll
      for (int m = 0; m < blocks; ++m) {
        mma_m16n8k16(s[m][n], a[m], b[0], s[m][n]);
        mma_m16n8k16(s[m][n + 1], a[m], b[1], s[m][n + 1]);
      }
    }
  }
}

/// s = A B^T with A in registers, as load_a() gives it.
template <class Tile, int blocks, int parts>
__device__ __forceinline__ void multiply_fragments(float (&s)[blocks][parts][4],
                                                   const uint32_t (&a)[Tile::steps][blocks][4],
                                                   const unsigned char* tile, int row) {
  clear(s);
#pragma unroll
  for (int step = 0; step < Tile::steps; ++step)
#pragma unroll
    for (int n = 0; n < parts; n += 2) {
      uint32_t b[2][2];
      load_b<Tile>(b, tile, row + 8 * n, step);
#pragma unroll
      for (int m = 0; m < blocks; ++m) {
        mma_m16n8k16(s[m][n], a[step][m], b[0], s[m][n]);
        mma_m16n8k16(s[m][n + 1], a[step][m], b[1], s[m][n + 1]);
      }
    }
}

/// Accumulators rounded to bf16, as left operand of the next product.
template <int blocks, int parts>
__device__ __forceinline__ void round_products(uint32_t (&p)[blocks][parts / 2][4],
                                               const float (&s)[blocks][parts][4]) {
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int n = 0; n < parts / 2; ++n) {
      p[m][n][0] = pack_bf16(s[m][2 * n][0], s[m][2 * n][1]);
      p[m][n][1] = pack_bf16(s[m][2 * n][2], s[m][2 * n][3]);
      p[m][n][2] = pack_bf16(s[m][2 * n + 1][0], s[m][2 * n + 1][1]);
      p[m][n][3] = pack_bf16(s[m][2 * n + 1][2], s[m][2 * n + 1][3]);
    }
}

/// sum += P B for rows `row` to `row` + 16 parts - 1 of a tile of B.
template <class Tile, int blocks, int parts>
__device__ __forceinline__ void add_products(float (&sum)[blocks][Tile::chunks][4],
                                             const uint32_t (&p)[blocks][parts][4], const unsigned char* tile,
                                             int row) {
#pragma unroll
  for (int k = 0; k < parts; ++k)
#pragma unroll
    for (int step = 0; step < Tile::steps; ++step) {
      uint32_t b[2][2];
      load_b_transposed<Tile>(b, tile, row + 16 * k, step);
#pragma unroll
      for (int m = 0; m < blocks; ++m) {
        mma_m16n8k16(sum[m][2 * step], p[m][k], b[0], sum[m][2 * step]);
        if (!Tile::half_step || step < Tile::steps - 1)
          mma_m16n8k16(sum[m][2 * step + 1], p[m][k], b[1], sum[m][2 * step + 1]);
      }
    }
}

}  // namespace videomae::cuda
