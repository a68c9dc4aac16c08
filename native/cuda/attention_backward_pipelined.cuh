// Fused attention backward in bf16 for few tokens: a block does whole heads, one after the other, and loads the next
// while it works on this one (attention_head_ring.cuh). Q, K, V, Y and gradY are read once, dQ, dK and dV are written
// once, and every product is computed once: 10 N^2 d operations (the formulas are those of attention_backward.cuh).
//
// A warp holds 32 keys and values, and computes S^T and dP^T of them: so P^T and dS^T are left operands straight from
// the accumulators, and dV and dK never leave the registers. Only dQ = dS K needs what other warps have: dS^T of 32
// queries at a time goes through shared memory, in two turns, so that one barrier serves; behind it the warps share out
// dQ of these queries, 16 columns each, which takes their place. No sum is shared between warps, so bits are always the
// same.
#pragma once

#include "cuda/attention_backward.cuh"
#include "cuda/attention_head_layout.h"
#include "cuda/attention_head_ring.cuh"
#include "cuda/attention_weights.cuh"

namespace videomae::cuda {

/// What P and dS of the warp's queries need, (log2(e) lse, D), into `terms`, one a query. Beyond the last token both
/// are 0.
/// @param lse  of the queries of this lane's quad
template <class Tile, int blocks>
__device__ __forceinline__ void put_terms(float2* terms, const float (&lse)[blocks][2], const unsigned char* y,
                                          const unsigned char* grad_y, int own) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = own + 16 * m + 8 * half;
      float dot = 0;
#pragma unroll
      for (int chunk = lane % 4; chunk < Tile::chunks; chunk += 4) {
        const int at = row * Tile::row_bytes + Tile::offset(lane / 4, chunk);
        dot += dot_of_chunks(*reinterpret_cast<const uint4*>(y + at), *reinterpret_cast<const uint4*>(grad_y + at));
      }
      dot = quad_sum(dot);
      if (lane % 4 == 0) terms[row + lane / 4] = make_float2(lse[m][half] * kLog2E, dot);
    }
}

/// @param slots  of HeadTiles
template <class Tile>
__global__ void __launch_bounds__(32 * BackwardHeadTiling<Tile>::warps, 1)
    attention_backward_pipelined_mma(AttentionBackwardArguments args, int slots) {
  dependent_launch_begin();
  using Tiling = BackwardHeadTiling<Tile>;
  using Weights = typename Tiling::Weights;
  constexpr int blocks = Tiling::blocks, kOwnRows = 16 * blocks, kQueries = Tiling::queries;
  const AttentionShape& shape = args.shape;
  const int warp = static_cast<int>(threadIdx.x) / 32, warps = static_cast<int>(blockDim.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32, rows = kOwnRows * warps, own = kOwnRows * warp;
  const float scale = args.scale.constant, scale2 = scale * kLog2E;
  const auto rows_of = [&](int head, int part) {
    return part < 3 ? packed_rows(args.qkv, shape, head, part)
                    : merged_rows(part == 3 ? args.grad_y : args.y, shape, head);
  };
  HeadTiles<Tile, Tiling::parts> tiles(shared_memory<unsigned char>(), slots, rows, shape);
  float2* terms = shared_memory<float2>(static_cast<size_t>(slots) * rows * Tile::row_bytes);
  tiles.load(slots, rows_of);
  float lse[blocks][2];  // of the warp's queries of the next head
  read_row_terms(lse, args.lse + static_cast<int64_t>(blockIdx.x) * shape.tokens, own, shape.tokens);
#pragma unroll 1
  while (tiles.any()) {
    unsigned char *q = tiles.tile(0), *k = tiles.tile(1), *v = tiles.tile(2);
    unsigned char *grad_y = tiles.tile(3), *y = tiles.tile(4);
    tiles.wait(Tiling::parts);
    block_sync();  // this head has come
    put_terms<Tile>(terms, lse, y, grad_y, own);
    block_sync();  // these numbers have come, and y may hold dS^T

    float sum_k[blocks][Tile::chunks][4], sum_v[blocks][Tile::chunks][4];  // dK but for the factor, dV
    clear(sum_k), clear(sum_v);
#pragma unroll 1
    for (int query = 0; query < rows; query += 16) {
      unsigned char* gradients = y + query / kQueries % 2 * rows * Weights::row_bytes;
      float p[blocks][2][4], ds[blocks][2][4];
      multiply_rows<Tile>(p, k, own, q, query);
      multiply_rows<Tile>(ds, v, own, grad_y, query);
      // Queries beyond the last token are zero rows of q and gradY: P is 1 and dS is 0. Keys beyond it have any P,
      // which enters rows of dV that are not kept.
#pragma unroll
      for (int n = 0; n < 2; ++n) {
        const float4 term = *reinterpret_cast<const float4*>(terms + query + 8 * n + lane % 4 * 2);
#pragma unroll
        for (int m = 0; m < blocks; ++m)
#pragma unroll
          for (int r = 0; r < 4; ++r) {
            p[m][n][r] = exp2_approximate(p[m][n][r] * scale2 - (r % 2 ? term.z : term.x));
            ds[m][n][r] = p[m][n][r] * (ds[m][n][r] - (r % 2 ? term.w : term.y));
          }
      }
      if (shape.tokens - own < kOwnRows) mask_rows(ds, shape.tokens - own);
      uint32_t rounded[blocks][1][4];
      round_products(rounded, p);
      add_products<Tile>(sum_v, rounded, grad_y, query);
      round_products(rounded, ds);
      put_weights<Weights>(gradients, own, query / 16 % 2, rounded);
      add_products<Tile>(sum_k, rounded, q, query);
      if (query % kQueries == 0) continue;
      block_sync();  // dS^T has come; all have done with these queries, and with the dS^T before the last
      for (int step = warp; step < Tile::steps; step += warps)
        weighted_rows<Tile, Weights, kQueries / 16>(gradients, 0, k, rows, step, scale, q, query - 16);
    }
    put_rows<Tile>(grad_y, own, sum_v, 1);
    block_sync();  // all have done with k, and dQ is whole
    put_rows<Tile>(k, own, sum_k, scale);
    const int head = tiles.head(), next = head + static_cast<int>(gridDim.x);
    if (next < shape.batch * shape.heads)
      read_row_terms(lse, args.lse + static_cast<int64_t>(next) * shape.tokens, own, shape.tokens);
    warp_sync();
#pragma unroll 1
    for (int part = 0; part < 3; ++part)  // from the places of q, k and gradY
      store_rows<Tile, false>(packed_rows(args.grad_qkv, shape, head, part).from(own), tiles.tile(part + part / 2), own,
                              min(shape.tokens - own, kOwnRows), shape.width, lane, 32);
    block_sync();  // all have done with this head's tiles
    tiles.load(Tiling::parts, rows_of);
  }
}

}  // namespace videomae::cuda
