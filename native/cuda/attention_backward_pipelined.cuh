// Fused attention backward in bf16 for few tokens: a block does whole heads, one after the other, and loads the next
// while it works on this one (attention_head_ring.cuh). Q, K, V, Y and gradY are read once, dQ, dK and dV are written
// once, and every product is computed once: 10 N^2 d operations (the formulas are those of attention_backward.cuh).
//
// A warp holds 16 keys and values, and computes S^T and dP^T of them: so P^T and dS^T are left operands straight from
// the accumulators, and dV and dK never leave the registers. Only dQ = dS K needs what other warps have: dS^T of 32
// queries at a time goes through shared memory, in two turns, so that one barrier serves; behind it the warps share out
// 16 queries by 16 columns of dQ each, which take the place of these queries. No sum is shared between warps, so bits
// are always the same.
#pragma once

#include "cuda/attention_backward.cuh"
#include "cuda/attention_head_layout.h"
#include "cuda/attention_head_ring.cuh"
#include "cuda/attention_weights.cuh"

namespace videomae::cuda {

/// What P and dS of 16 queries need, (log2(e) lse, D), into `terms`, one a query. Beyond the last token both are 0.
/// @param lse  of the two queries of this lane's quad
template <class Tile>
__device__ __forceinline__ void put_terms(float2* terms, const float (&lse)[1][2], const unsigned char* y,
                                          const unsigned char* grad_y, int own) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = own + 8 * half;
    float dot = 0;
#pragma unroll
    for (int chunk = lane % 4; chunk < Tile::chunks; chunk += 4) {
      const int at = row * Tile::row_bytes + Tile::offset(lane / 4, chunk);
      dot += dot_of_chunks(*reinterpret_cast<const uint4*>(y + at), *reinterpret_cast<const uint4*>(grad_y + at));
    }
    dot = quad_sum(dot);
    if (lane % 4 == 0) terms[row + lane / 4] = make_float2(lse[0][half] * kLog2E, dot);
  }
}

/// @param slots  of HeadTiles
template <class Tile>
__global__ void __launch_bounds__(32 * BackwardHeadTiling<Tile>::warps, 1)
    attention_backward_pipelined_mma(AttentionBackwardArguments args, int slots) {
  using Tiling = BackwardHeadTiling<Tile>;
  using Weights = typename Tiling::Weights;
  const AttentionShape& shape = args.shape;
  const int warp = static_cast<int>(threadIdx.x) / 32, warps = static_cast<int>(blockDim.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32, rows = 16 * warps, own = 16 * warp;
  const float scale = args.scale.constant, scale2 = scale * kLog2E;
  const bool own_key[2] = {own + lane / 4 < shape.tokens, own + 8 + lane / 4 < shape.tokens};
  const auto rows_of = [&](int head, int part) {
    return part < 3 ? packed_rows(args.qkv, shape, head, part) : merged_rows(part == 3 ? args.grad_y : args.y, shape, head);
  };
  HeadTiles<Tile, Tiling::parts> tiles(shared_memory<unsigned char>(), slots, rows, shape);
  float2* terms = shared_memory<float2>(static_cast<size_t>(slots) * rows * Tile::row_bytes);
  tiles.load(slots, rows_of);
  float lse[1][2];  // of the warp's queries of the next head
  read_row_terms(lse, args.lse + static_cast<int64_t>(blockIdx.x) * shape.tokens, own, shape.tokens);
#pragma unroll 1
  for (int head = static_cast<int>(blockIdx.x); head < shape.batch * shape.heads;
       head += static_cast<int>(gridDim.x)) {
    unsigned char *q = tiles.tile(0), *k = tiles.tile(1), *v = tiles.tile(2);
    unsigned char *grad_y = tiles.tile(3), *y = tiles.tile(4);
    tiles.wait(Tiling::parts);
    block_sync();  // this head has come
    put_terms<Tile>(terms, lse, y, grad_y, own);
    block_sync();  // these numbers have come, and y may hold dS^T

    float sum_k[1][Tile::chunks][4], sum_v[1][Tile::chunks][4];  // dK but for the factor, dV
    clear(sum_k), clear(sum_v);
#pragma unroll 1
    for (int first = 0; first < rows; first += Tiling::queries) {
      unsigned char* gradients = y + first / Tiling::queries % 2 * rows * Weights::row_bytes;
      const int last = min(first + Tiling::queries, rows);
#pragma unroll 1
      for (int query = first; query < last; query += 16) {
        float p[1][2][4], ds[1][2][4];
        multiply_rows<Tile>(p, k, own, q, query);
        multiply_rows<Tile>(ds, v, own, grad_y, query);
        // Queries beyond the last token are zero rows of q and gradY: P is 1 and dS is 0. Keys beyond it have any P,
        // which enters rows of dV that are not kept.
#pragma unroll
        for (int n = 0; n < 2; ++n) {
          const float4 term = *reinterpret_cast<const float4*>(terms + query + 8 * n + lane % 4 * 2);
#pragma unroll
          for (int r = 0; r < 4; ++r) {
            p[0][n][r] = exp2_approximate(p[0][n][r] * scale2 - (r % 2 ? term.z : term.x));
            ds[0][n][r] = own_key[r / 2] ? p[0][n][r] * (ds[0][n][r] - (r % 2 ? term.w : term.y)) : 0;
          }
        }
        uint32_t rounded[1][1][4];
        round_products(rounded, p);
        add_products<Tile>(sum_v, rounded, grad_y, query);
        round_products(rounded, ds);
        put_weights<Weights>(gradients, own, (query - first) / 16, rounded);
        add_products<Tile>(sum_k, rounded, q, query);
      }
      block_sync();  // dS^T has come; all have done with these queries, and with the dS^T before the last
      for (int unit = warp; unit < (last - first) / 16 * Tile::steps; unit += warps) {
        const int part = unit / Tile::steps;
        weighted_rows<Tile, Weights, 1>(gradients, part, k, rows, unit % Tile::steps, scale, q, first + 16 * part);
      }
    }
    put_rows<Tile>(grad_y, own, sum_v, 1);
    block_sync();  // all have done with k, and dQ is whole
    put_rows<Tile>(k, own, sum_k, scale);
    if (head + static_cast<int>(gridDim.x) < shape.batch * shape.heads)
      read_row_terms(lse, args.lse + (head + static_cast<int64_t>(gridDim.x)) * shape.tokens, own, shape.tokens);
    warp_sync();
    const unsigned char* gradient[3] = {q, k, grad_y};
#pragma unroll
    for (int part = 0; part < 3; ++part)
      store_rows<Tile, false>(packed_rows(args.grad_qkv, shape, head, part).from(own), gradient[part], own,
                              min(shape.tokens - own, 16), shape.width, lane, 32);
    block_sync();  // all have done with this head's tiles
    tiles.load(Tiling::parts, rows_of);
  }
}

}  // namespace videomae::cuda
