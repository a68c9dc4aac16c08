// Fused attention forward in f32: a block holds 32 queries of one head, and the keys and values pass by 32 at a time,
// with a running maximum and sum. A maximum that is NaN passes by, as on the CPU: 2^NaN brings it back.
#pragma once

#include <cfloat>

#include "cuda/attention_simt.cuh"
#include "cuda/device/dependent_launch.cuh"

namespace videomae::cuda {

struct SimtForwardArguments {
  AttentionShape shape;
  AttentionScale scale;
  bool vector;       // rows of every operand begin at multiples of 16 bytes
  const float* qkv;  // (B, N, 3, H, K)
  float* y;          // (B, N, H, K)
  float* lse;        // (B, H, N)
};

/// Shared memory: q, k and v, weights, and 1 / norm of the keys.
template <int padded>
constexpr size_t attention_forward_simt_bytes() {
  return (3 * kSimtTile<padded> + kSimtRows * kWeightStride + kSimtRows) * sizeof(float);
}

template <int padded>
__global__ void __launch_bounds__(kSimtThreads, 2) attention_forward_simt(SimtForwardArguments args) {
  dependent_launch_begin();
  const AttentionShape& shape = args.shape;
  const int tokens = shape.tokens, width = shape.width;
  const int tiles = (tokens + kSimtRows - 1) / kSimtRows;
  const int head = static_cast<int>(blockIdx.x) / tiles, first = static_cast<int>(blockIdx.x) % tiles * kSimtRows;
  const bool cosine = args.scale.cosine();

  float* q = shared_memory<float>();
  float *k = q + kSimtTile<padded>, *v = k + kSimtTile<padded>, *weights = v + kSimtTile<padded>;
  float* key_norms = weights + kSimtRows * kWeightStride;

  load_simt_rows<padded>(q, packed_rows(args.qkv, shape, head, 0).from(first), tokens - first, width, args.vector);
  const float scale = args.scale.of(head, shape.heads) * kLog2E;
  float factors[2], highest[2], total[2], sum[2][padded / 32][4];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int token = first + simt_row() + 16 * i;
    factors[i] = cosine && token < tokens ? args.scale.norms_of(shape, head, 0)[token] * scale : scale;
    highest[i] = -FLT_MAX, total[i] = 0;
  }
  clear_simt(sum);
  for (int key = 0; key < tokens; key += kSimtRows) {
    const int valid = tokens - key;
    block_sync();  // all have done with the keys before
    load_simt_rows<padded>(k, packed_rows(args.qkv, shape, head, 1).from(key), valid, width, args.vector);
    load_simt_rows<padded>(v, packed_rows(args.qkv, shape, head, 2).from(key), valid, width, args.vector);
    if (cosine) load_simt_terms(key_norms, args.scale.norms_of(shape, head, 1) + key, valid);
    cp_async_commit();
    cp_async_wait<0>();
    block_sync();

    float s[2][4];
    multiply_simt_rows<padded>(s, q, k);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float maximum = highest[i];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int column = simt_lane() + 8 * j;
        s[i][j] *= cosine ? factors[i] * key_norms[column] : factors[i];
        if (column >= valid) s[i][j] = -INFINITY;
        maximum = fmaxf(maximum, s[i][j]);
      }
#pragma unroll
      for (int mask = 1; mask < 8; mask *= 2) maximum = fmaxf(maximum, shuffle_xor(maximum, mask));
      const float correction = exp2_approximate(highest[i] - maximum);
      highest[i] = maximum;
      total[i] *= correction;
#pragma unroll
      for (int j = 0; j < padded / 32; ++j)
#pragma unroll
        for (int c = 0; c < 4; ++c) sum[i][j][c] *= correction;
#pragma unroll
      for (int j = 0; j < 4; ++j) s[i][j] = exp2_approximate(s[i][j] - maximum), total[i] += s[i][j];
    }
    put_simt_weights(weights, s);
    warp_sync();
    add_simt_products<padded>(sum, weights, v);
  }

#pragma unroll
  for (int i = 0; i < 2; ++i) {
    total[i] = simt_row_sum(total[i]);
    const int token = first + simt_row() + 16 * i;
    if (simt_lane() == 0 && token < tokens)
      args.lse[static_cast<int64_t>(head) * tokens + token] = (highest[i] + log2f(total[i])) * kLn2;
    total[i] = 1 / total[i];
  }
  store_simt_rows(merged_rows(args.y, shape, head).from(first), sum, total, tokens - first, width, args.vector);
}

}  // namespace videomae::cuda
