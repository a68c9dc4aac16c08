// Fused attention forward in bf16 for few tokens: a block does whole heads, one after the other, a warp 32 queries of
// each. Memory is what bounds this, and is never left idle: while q, k and v of one head are worked on, those of the
// next are on their way (attention_head_ring.cuh), and where there are registers another block of the multiprocessor
// does the same for other heads. Softmax is that of attention_forward.cuh.
#pragma once

#include "cuda/attention_forward.cuh"
#include "cuda/attention_head_layout.h"
#include "cuda/attention_head_ring.cuh"

namespace videomae::cuda {

/// A head's y and log-sum-exp for 16 `blocks` queries of this warp, from row `own` of the tiles on. Keys and values
/// pass by, 16 at a time.
template <class Tile, int blocks>
__device__ __forceinline__ void forward_rows(const AttentionForwardArguments& args, int head, unsigned char* q,
                                             const unsigned char* k, const unsigned char* v, int own) {
  constexpr int kKeys = 16;
  const AttentionShape& shape = args.shape;
  const float scale = args.scale.constant * kLog2E;
  [[maybe_unused]] uint32_t queries[Tile::steps][blocks][4];
  if constexpr (ForwardHeadTiling<Tile>::holds_queries) load_all_a<Tile>(queries, q, own);
  SoftmaxRows<blocks> softmax;
  float sum[blocks][Tile::chunks][4];
  softmax.begin();
  clear(sum);
#pragma unroll 1
  for (int key = 0; key < shape.tokens; key += kKeys) {
    float s[blocks][kKeys / 8][4];
    if constexpr (ForwardHeadTiling<Tile>::holds_queries)
      multiply_fragments<Tile>(s, queries, k, key);
    else
      multiply_rows<Tile>(s, q, own, k, key);
    if (shape.tokens - key < kKeys) mask_columns(s, shape.tokens - key, -INFINITY);
    softmax.exponentiate(s, scale, sum);
    uint32_t p[blocks][kKeys / 16][4];
    round_products(p, s);
    add_products<Tile>(sum, p, v, key);
  }
  softmax.finish(sum, scale, args.lse + static_cast<int64_t>(head) * shape.tokens, own, shape.tokens);
  warp_sync();                     // all lanes have done with the warp's queries
  put_rows<Tile>(q, own, sum, 1);  // over its own queries, which no other warp reads
  warp_sync();
  store_rows<Tile, false>(merged_rows(args.y, shape, head).from(own), q, own, min(shape.tokens - own, 16 * blocks),
                          shape.width, static_cast<int>(threadIdx.x) % 32, 32);
}

/// @param slots  of HeadTiles
template <class Tile>
__global__ void __launch_bounds__(32 * ForwardHeadTiling<Tile>::warps, 1)
    attention_forward_head_mma(AttentionForwardArguments args, int slots) {
  dependent_launch_begin();
  constexpr int parts = ForwardHeadTiling<Tile>::parts;
  const AttentionShape& shape = args.shape;
  const int own = static_cast<int>(threadIdx.x) / 32 * 32, rows = ForwardHeadTiling<Tile>::rows_for(shape.tokens);
  const auto rows_of = [&](int head, int part) { return packed_rows(args.qkv, shape, head, part); };
  HeadTiles<Tile, parts> tiles(shared_memory<unsigned char>(), slots, rows, shape);
  tiles.load(slots, rows_of);
#pragma unroll 1
  while (tiles.any()) {
    tiles.wait(parts);
    block_sync();  // this head has come
    unsigned char *q = tiles.tile(0), *k = tiles.tile(1), *v = tiles.tile(2);
    if (own + 32 <= rows)
      forward_rows<Tile, 2>(args, tiles.head(), q, k, v, own);
    else
      forward_rows<Tile, 1>(args, tiles.head(), q, k, v, own);
    block_sync();  // all have done with this head's tiles
    tiles.load(parts, rows_of);
  }
}

}  // namespace videomae::cuda
