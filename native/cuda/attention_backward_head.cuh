// Fused attention backward in bf16 for few tokens: one block does a head, with everything on chip. Q, K, V and gradY
// are read once, dQ, dK and dV are written once, and every product is computed once: 10 N^2 d operations (the formulas
// are those of attention_backward.cuh).
//
// A warp holds 16 `blocks` queries. Keys are handled a few at a time (`kKeys`): each warp computes P and dS of its
// queries, adds dS K to its dQ, and leaves P and dS in shared memory; behind a barrier the warps share out
// dV = P^T gradY and dK = dS^T Q of these keys, 16 columns each, over all queries. dK and dV then take the places of K
// and V, which nobody needs any more. No sum is shared between warps, so bits are always the same.
#pragma once

#include "cuda/attention_backward.cuh"
#include "cuda/attention_weights.cuh"

namespace videomae::cuda {

template <class Tile>
__global__ void __launch_bounds__(32 * HeadTiling<Tile>::warps)
    attention_backward_head_mma(AttentionBackwardArguments args) {
  dependent_launch_begin();
  constexpr int blocks = HeadTiling<Tile>::blocks, kOwnRows = 16 * blocks;
  constexpr int kKeys = HeadTiling<Tile>::keys, kStep = HeadTiling<Tile>::step, kParts = kStep / 8;
  const AttentionShape& shape = args.shape;
  const int tokens = shape.tokens, width = shape.width;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32;
  const int warps = static_cast<int>(blockDim.x) / 32, rows = warps * kOwnRows, own = warp * kOwnRows;
  const int tile_rows = HeadTiling<Tile>::tile_rows(warps);
  const int head = static_cast<int>(blockIdx.x);
  using Weights = typename HeadTiling<Tile>::Weights;

  unsigned char* q = shared_memory<unsigned char>();
  unsigned char* grad_y = q + tile_rows * Tile::row_bytes;
  unsigned char* k = grad_y + tile_rows * Tile::row_bytes;
  unsigned char* v = k + tile_rows * Tile::row_bytes;
  unsigned char* weights = v + tile_rows * Tile::row_bytes;        // P
  unsigned char* gradients = weights + rows * Weights::row_bytes;  // dS

  const HeadRows<const bf16> grad_rows = merged_rows(args.grad_y, shape, head);
  const auto load_keys = [&](int key) {
    if (key < tokens) {
      load_rows<Tile, false>(k + key * Tile::row_bytes, kKeys, packed_rows(args.qkv, shape, head, 1).from(key),
                             tokens - key, width);
      load_rows<Tile, false>(v + key * Tile::row_bytes, kKeys, packed_rows(args.qkv, shape, head, 2).from(key),
                             tokens - key, width);
    }
    cp_async_commit();
  };
  load_rows<Tile, false>(q, rows, packed_rows(args.qkv, shape, head, 0), tokens, width);
  load_rows<Tile, false>(grad_y, rows, grad_rows, tokens, width);
  load_keys(0);
  load_keys(kKeys);

  const float scale = args.scale.constant, scale2 = scale * kLog2E;
  float lse[blocks][2], dots[blocks][2];
  read_row_terms(lse, args.lse + static_cast<int64_t>(head) * tokens, own, tokens);
#pragma unroll
  for (int m = 0; m < blocks; ++m) lse[m][0] *= kLog2E, lse[m][1] *= kLog2E;
  output_dots<false, Tile::chunks>(dots, merged_rows(args.y, shape, head), grad_rows, own, tokens, width);

  float sum[blocks][Tile::chunks][4];  // dQ but for the factor
  clear(sum);
#pragma unroll 1
  for (int key = 0; key < tokens; key += kKeys) {
    load_keys(key + 2 * kKeys);
    cp_async_wait<2>();
    block_sync();  // these keys have come; all have done with the weights of those before
#pragma unroll 1
    for (int step = 0; step < kKeys; step += kStep) {
      float p[blocks][kParts][4], ds[blocks][kParts][4];
      multiply_rows<Tile>(p, q, own, k, key + step);
      multiply_rows<Tile>(ds, grad_y, own, v, key + step);
#pragma unroll
      for (int m = 0; m < blocks; ++m)
#pragma unroll
        for (int n = 0; n < kParts; ++n)
#pragma unroll
          for (int r = 0; r < 4; ++r) {
            p[m][n][r] = exp2_approximate(p[m][n][r] * scale2 - lse[m][r / 2]);
            ds[m][n][r] = p[m][n][r] * (ds[m][n][r] - dots[m][r / 2]);
          }
      const int valid = tokens - key - step;
      if (valid < kStep) mask_columns(ds, valid, 0);  // P there only enters rows of dV that are not kept
      uint32_t rounded[blocks][kParts / 2][4];
      round_products(rounded, p);
      put_weights<Weights>(weights, own, step / 16, rounded);
      round_products(rounded, ds);
      put_weights<Weights>(gradients, own, step / 16, rounded);
      add_products<Tile>(sum, rounded, k, key + step);
    }
    block_sync();
    for (int unit = warp; unit < 2 * Tile::steps; unit += warps) {
      const int step = unit % Tile::steps;
      if (unit < Tile::steps) {
        weighted_rows<Tile, Weights, kKeys / 16>(weights, 0, grad_y, rows, step, 1, v, key);
      } else {
        weighted_rows<Tile, Weights, kKeys / 16>(gradients, 0, q, rows, step, scale, k, key);
      }
    }
  }
  block_sync();  // all have done with q
  put_rows<Tile>(q, own, sum, scale);
  block_sync();
  store_rows<Tile, false>(packed_rows(args.grad_qkv, shape, head, 0), q, 0, tokens, width, thread, 32 * warps);
  store_rows<Tile, false>(packed_rows(args.grad_qkv, shape, head, 1), k, 0, tokens, width, thread, 32 * warps);
  store_rows<Tile, false>(packed_rows(args.grad_qkv, shape, head, 2), v, 0, tokens, width, thread, 32 * warps);
}

}  // namespace videomae::cuda
