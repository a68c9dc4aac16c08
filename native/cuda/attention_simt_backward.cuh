// Fused attention backward in f32, cut as in bf16 (attention_backward.cuh): one template is the kernel of queries,
// which computes D and dQ, and the kernel of keys, which computes dK and dV.
#pragma once

#include "cuda/attention_simt.cuh"
#include "cuda/device/dependent_launch.cuh"
#include "cuda/reduce.cuh"

namespace videomae::cuda {

struct SimtBackwardArguments {
  AttentionShape shape;
  AttentionScale scale;
  bool vector;                    // rows of every operand begin at multiples of 16 bytes
  const float *qkv, *y, *grad_y;  // (B, N, 3, H, K), (B, N, H, K) twice
  const float* lse;               // (B, H, N)
  float* dots;                    // (B, H, N), D: written by the kernel of queries, read by that of keys
  float* grad_qkv;                // (B, N, 3, H, K)
  float* scale_parts;             // (B, H, blocks of queries), cosine only: parts of the logit scales' gradient
};

/// Shared memory: two tiles of the block's own rows, two of the other side, weights, and three numbers a row of the
/// other side: lse, D and 1 / norm.
template <int padded>
constexpr size_t attention_backward_simt_bytes() {
  return (4 * kSimtTile<padded> + kSimtRows * kWeightStride + 3 * kSimtRows) * sizeof(float);
}

/// From g, the gradient of x / norm, to that of x: (g - x^ (x^ . g)) / norm with x^ = x / norm; without the projection
/// where the norm is at its floor and x^ is linear in x. Rows of x lie in shared memory.
template <int padded>
__device__ __forceinline__ void through_simt_normalisation(float (&g)[2][padded / 32][4], const float* tile,
                                                           const float (&inverse_norms)[2]) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float* x = tile + (simt_row() + 16 * i) * kSimtStride<padded> + 4 * simt_lane();
    const float inverse = inverse_norms[i];
    float along = 0;
#pragma unroll
    for (int j = 0; j < padded / 32; ++j)
#pragma unroll
      for (int c = 0; c < 4; ++c) along += x[32 * j + c] * inverse * g[i][j][c];
    along = simt_row_sum(along);
    if (inverse >= kLargestInverseNorm) along = 0;
#pragma unroll
    for (int j = 0; j < padded / 32; ++j)
#pragma unroll
      for (int c = 0; c < 4; ++c) g[i][j][c] = (g[i][j][c] - x[32 * j + c] * inverse * along) * inverse;
  }
}

/// @tparam keys  whether the block's own rows are keys and values, and not queries
template <int padded, bool keys>
__global__ void __launch_bounds__(kSimtThreads, 2) attention_backward_simt(SimtBackwardArguments args) {
  dependent_launch_begin();
  const AttentionShape& shape = args.shape;
  const int tokens = shape.tokens, width = shape.width;
  const int tiles = (tokens + kSimtRows - 1) / kSimtRows;
  const int head = static_cast<int>(blockIdx.x) / tiles, first = static_cast<int>(blockIdx.x) % tiles * kSimtRows;
  const int64_t head_begin = static_cast<int64_t>(head) * tokens;
  const bool cosine = args.scale.cosine();

  float* own_qk = shared_memory<float>();         // q, or k
  float* own_other = own_qk + kSimtTile<padded>;  // gradY, or v
  float *other_qk = own_other + kSimtTile<padded>, *other = other_qk + kSimtTile<padded>;
  float *weights = other + kSimtTile<padded>, *terms = weights + kSimtRows * kWeightStride;

  const HeadRows<const float> q = packed_rows(args.qkv, shape, head, 0), k = packed_rows(args.qkv, shape, head, 1);
  const HeadRows<const float> v = packed_rows(args.qkv, shape, head, 2), grad_y = merged_rows(args.grad_y, shape, head);
  load_simt_rows<padded>(own_qk, (keys ? k : q).from(first), tokens - first, width, args.vector);
  load_simt_rows<padded>(own_other, (keys ? v : grad_y).from(first), tokens - first, width, args.vector);

  const float scale = args.scale.of(head, shape.heads), scale2 = scale * kLog2E;
  float own_norms[2] = {1, 1}, own_lse[2] = {}, own_dots[2] = {};
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int token = first + simt_row() + 16 * i;
    if (cosine && token < tokens) own_norms[i] = args.scale.norms_of(shape, head, keys ? 1 : 0)[token];
    if constexpr (!keys) {
      float dot = 0;
      if (token < tokens) {
        own_lse[i] = args.lse[head_begin + token] * kLog2E;
        const float *a = merged_rows(args.y, shape, head).from(token).first, *b = grad_y.from(token).first;
        for (int c = simt_lane(); c < width; c += 8) dot += a[c] * b[c];
      }
      own_dots[i] = simt_row_sum(dot);
      if (simt_lane() == 0 && token < tokens) args.dots[head_begin + token] = own_dots[i];
    }
  }

  float scale_gradient = 0;                   // this thread's part
  float sum[2][padded / 32][4];               // dQ, or dK, but for the factor
  float sum_v[2][keys ? padded / 32 : 1][4];  // dV
  clear_simt(sum), clear_simt(sum_v);
  for (int token = 0; token < tokens; token += kSimtRows) {
    const int valid = tokens - token;
    block_sync();  // all have done with the rows before
    load_simt_rows<padded>(other_qk, (keys ? q : k).from(token), valid, width, args.vector);
    load_simt_rows<padded>(other, (keys ? grad_y : v).from(token), valid, width, args.vector);
    if (keys) {
      load_simt_terms(terms, args.lse + head_begin + token, valid);
      load_simt_terms(terms + kSimtRows, args.dots + head_begin + token, valid);
    }
    if (cosine) load_simt_terms(terms + 2 * kSimtRows, args.scale.norms_of(shape, head, keys ? 0 : 1) + token, valid);
    cp_async_commit();
    cp_async_wait<0>();
    block_sync();

    float p[2][4], ds[2][4];
    multiply_simt_rows<padded>(p, own_qk, other_qk);
    multiply_simt_rows<padded>(ds, own_other, other);
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int column = simt_lane() + 8 * j;
        const float norm = cosine ? terms[2 * kSimtRows + column] : 1;
        const float logit = p[i][j] * (own_norms[i] * norm);  // but for the scale
        const float lse = keys ? terms[column] * kLog2E : own_lse[i];
        p[i][j] = exp2_approximate(logit * scale2 - lse);
        ds[i][j] = p[i][j] * (ds[i][j] - (keys ? terms[kSimtRows + column] : own_dots[i]));
        if (column >= valid) p[i][j] = ds[i][j] = 0;
        if (cosine && !keys) scale_gradient += ds[i][j] * logit;
        ds[i][j] *= norm;
      }
    if constexpr (keys) {
      put_simt_weights(weights, p);
      warp_sync();
      add_simt_products<padded>(sum_v, weights, other);
      warp_sync();
    }
    put_simt_weights(weights, ds);
    warp_sync();
    add_simt_products<padded>(sum, weights, other_qk);
  }

  if (cosine) through_simt_normalisation<padded>(sum, own_qk, own_norms);
  const float factors[2] = {scale, scale}, ones[2] = {1, 1};
  store_simt_rows(packed_rows(args.grad_qkv, shape, head, keys ? 1 : 0).from(first), sum, factors, tokens - first,
                  width, args.vector);
  if constexpr (keys) {
    store_simt_rows(packed_rows(args.grad_qkv, shape, head, 2).from(first), sum_v, ones, tokens - first, width,
                    args.vector);
  } else if (cosine && args.scale_parts) {
    block_sync();
    const float part = block_sum(scale_gradient, terms);
    if (threadIdx.x == 0) args.scale_parts[blockIdx.x] = part;
  }
}

}  // namespace videomae::cuda
