// Fused attention forward in bf16: a block holds the queries of one head, a warp 16 `blocks` of them, and the keys and
// values of the head pass by in a ring of two stages.
//
// Online softmax in powers of two. The running maximum is lazy: sums are rescaled only when a row's maximum has grown
// by more than a factor of 2^8, which after the first keys hardly happens; until then probabilities are up to 2^8
// times those of the true maximum, of the same relative precision. A maximum that is NaN passes by, as on the CPU:
// 2^NaN brings it back.
//
// Few tokens: as many warps as cover them all, so that one block does a head and reads its keys once.
#pragma once

#include <cfloat>

#include "cuda/attention_accumulators.cuh"
#include "cuda/device/dependent_launch.cuh"
#include "cuda/device/exp2.cuh"
#include "cuda/device/shared_memory.cuh"

namespace videomae::cuda {

struct AttentionForwardArguments {
  AttentionShape shape;
  AttentionScale scale;
  const bf16* qkv;  // (B, N, 3, H, K)
  bf16* y;          // (B, N, H, K)
  float* lse;       // (B, H, N)
};

/// Rows of accumulators that a thread holds a part of: 2 a block of 16, `lane / 4` and 8 further.
template <int blocks>
struct SoftmaxRows {
  float reference[blocks][2];  // what exponents are relative to: a maximum of some keys so far, unscaled
  float total[blocks][2];      // this thread's part of the sum

  __device__ __forceinline__ void begin() {
#pragma unroll
    for (int m = 0; m < blocks; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) reference[m][half] = -FLT_MAX, total[m][half] = 0;
  }

  /// Logits become probabilities; sums so far are rescaled where needed.
  template <int parts, int chunks>
  __device__ __forceinline__ void exponentiate(float (&s)[blocks][parts][4], float scale,
                                               float (&sum)[blocks][chunks][4]) {
#pragma unroll
    for (int m = 0; m < blocks; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float highest = reference[m][half];
#pragma unroll
        for (int n = 0; n < parts; ++n) highest = fmaxf(highest, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
        highest = fmaxf(highest, shuffle_xor(highest, 1));
        highest = fmaxf(highest, shuffle_xor(highest, 2));
        const float old = reference[m][half] * scale;
        if (highest * scale > old + 8) {
          const float correction = exp2_approximate(old - highest * scale);
          reference[m][half] = highest;
          total[m][half] *= correction;
#pragma unroll
          for (int n = 0; n < chunks; ++n) sum[m][n][2 * half] *= correction, sum[m][n][2 * half + 1] *= correction;
        }
        const float offset = reference[m][half] * scale;
#pragma unroll
        for (int n = 0; n < parts; ++n)
#pragma unroll
          for (int r = 2 * half; r < 2 * half + 2; ++r) {
            s[m][n][r] = exp2_approximate(s[m][n][r] * scale - offset);
            total[m][half] += s[m][n][r];
          }
      }
  }

  /// Divides sums by their rows' totals, and writes log-sum-exp of rows `first` and on, as far as there are tokens.
  template <int chunks>
  __device__ __forceinline__ void finish(float (&sum)[blocks][chunks][4], float scale, float* lse, int first,
                                         int tokens) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    float inverse[blocks][2];
#pragma unroll
    for (int m = 0; m < blocks; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float row_total = quad_sum(total[m][half]);
        const int token = first + 16 * m + 8 * half + lane / 4;
        if (lane % 4 == 0 && token < tokens) lse[token] = (reference[m][half] * scale + log2f(row_total)) * kLn2;
        inverse[m][half] = 1 / row_total;
      }
    scale_rows(sum, inverse);
  }
};

/// @tparam general  any alignment and width, and cosine attention; else neither
/// @param ring_rows  of a stage of the ring: 32 or 64
template <class Tile, bool general>
__global__ void __launch_bounds__(32 * ForwardTiling<Tile, general>::warps, ForwardTiling<Tile, general>::resident)
    attention_forward_mma(AttentionForwardArguments args, int ring_rows) {
  dependent_launch_begin();
  constexpr int blocks = ForwardTiling<Tile, general>::blocks;
  constexpr int kOwnRows = 16 * blocks;
  const AttentionShape& shape = args.shape;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
  const int block_rows = static_cast<int>(blockDim.x) / 32 * kOwnRows;
  const int tiles = (shape.tokens + block_rows - 1) / block_rows;
  const int head = static_cast<int>(blockIdx.x) / tiles;
  const int first_of_block = static_cast<int>(blockIdx.x) % tiles * block_rows;
  const int own = thread / 32 * kOwnRows, first = first_of_block + own;  // the warp's first row in the tile, and token

  unsigned char* queries = shared_memory<unsigned char>();
  unsigned char* ring = queries + block_rows * Tile::row_bytes;
  float* key_norms = reinterpret_cast<float*>(ring + 4 * ring_rows * Tile::row_bytes);
  const bool cosine = general && args.scale.cosine();

  const HeadRows<const bf16> k = packed_rows(args.qkv, shape, head, 1), v = packed_rows(args.qkv, shape, head, 2);
  const auto load_stage = [&](int key) {
    const int stage = key & ring_rows, valid = shape.tokens - key;  // its first row: 0 or ring_rows
    unsigned char* to = ring + stage * 2 * Tile::row_bytes;
    load_rows<Tile, general>(to, ring_rows, k.from(key), valid, shape.width);
    load_rows<Tile, general>(to + ring_rows * Tile::row_bytes, ring_rows, v.from(key), valid, shape.width);
    if (cosine) load_row_terms(key_norms + stage, ring_rows, args.scale.norms_of(shape, head, 1) + key, valid);
    cp_async_commit();
  };

  load_rows<Tile, general>(queries, block_rows, packed_rows(args.qkv, shape, head, 0).from(first_of_block),
                           shape.tokens - first_of_block, shape.width);
  load_stage(0);
  const float scale = args.scale.of(head, shape.heads) * kLog2E;
  float row_factors[blocks][2];
  if (cosine) {
    read_row_terms(row_factors, args.scale.norms_of(shape, head, 0), first, shape.tokens);
#pragma unroll
    for (int m = 0; m < blocks; ++m) row_factors[m][0] *= scale, row_factors[m][1] *= scale;
  }

  SoftmaxRows<blocks> softmax;
  float sum[blocks][Tile::chunks][4];
  softmax.begin();
  clear(sum);
  for (int key = 0; key < shape.tokens; key += ring_rows) {
    cp_async_wait<0>();
    block_sync();  // this stage has come; all have done with the other
    if (key + ring_rows < shape.tokens) load_stage(key + ring_rows);
    if (first >= shape.tokens) continue;
    const int stage = key & ring_rows;
    const unsigned char* keys = ring + stage * 2 * Tile::row_bytes;
    const unsigned char* values = keys + ring_rows * Tile::row_bytes;
#pragma unroll 1
    for (int step = 0; step < ring_rows && key + step < shape.tokens; step += kStepRows) {
      float s[blocks][kStepRows / 8][4];
      multiply_rows<Tile>(s, queries, own, keys, step);
      if (cosine) scale_rows(s, row_factors), scale_columns(s, key_norms + stage + step);
      const int valid = shape.tokens - key - step;
      if (valid < kStepRows) mask_columns(s, valid, -INFINITY);
      softmax.exponentiate(s, cosine ? 1 : scale, sum);
      uint32_t p[blocks][kStepRows / 16][4];
      round_products(p, s);
      add_products<Tile>(sum, p, values, step);
    }
  }
  if (first >= shape.tokens) return;

  softmax.finish(sum, cosine ? 1 : scale, args.lse + static_cast<int64_t>(head) * shape.tokens, first, shape.tokens);
  warp_sync();                           // all lanes have done with the warp's queries
  put_rows<Tile>(queries, own, sum, 1);  // over its own queries, which no other warp reads
  warp_sync();
  const int valid = shape.tokens - first;
  store_rows<Tile, general>(merged_rows(args.y, shape, head).from(first), queries, own,
                            valid < kOwnRows ? valid : kOwnRows, shape.width, lane, 32);
}

}  // namespace videomae::cuda
