// Backward pass of attention on wgmma: the warp that fills the rings. One lane has the copy engine bring tiles, and all
// bring the few numbers that belong to rows, lse and D, which they ask for before they wait for a place.
#pragma once

#include "cuda/device/tma.cuh"
#include "cuda/hopper/attention_backward_pieces.cuh"

namespace videomae::cuda {

/// 64 rows of a head from `token` on. @param head  where it begins in the tensor
template <class Tiling>
__device__ __forceinline__ void load_tile(int to, const CUtensorMap& map, int head, int token, Mbarrier* barrier) {
#pragma unroll
  for (int i = 0; i < Tiling::boxes; ++i)
    tma_load(shared_memory<unsigned char>(to + i * Tiling::box_bytes), map, i * Tiling::box_columns, token, head,
             barrier);
}

/// Numbers of `count` rows from `token` on, a few a lane; 0 beyond the last token.
template <int count>
struct RowTerms {
  float values[count / 32];

  __device__ __forceinline__ RowTerms(const float* from, int token, int tokens) {
#pragma unroll
    for (int i = 0; i < count / 32; ++i) {
      const int row = token + 32 * i + static_cast<int>(threadIdx.x) % 32;
      values[i] = row < tokens ? from[row] : 0;
    }
  }
  __device__ __forceinline__ void put(float* to, float factor) const {
#pragma unroll
    for (int i = 0; i < count / 32; ++i) to[32 * i + static_cast<int>(threadIdx.x) % 32] = factor * values[i];
  }
};

/// q, gradY and y, or k and v: 128 rows of them.
template <class Tiling>
__device__ __forceinline__ void load_own_rows(BackwardRings<Tiling>& rings, const WgmmaBackwardArguments& args,
                                              const BackwardPiece& piece, const float* lse) {
  constexpr bool keys = Tiling::keys;
  if constexpr (keys) {
    rings.own.wait_empty();
  } else {
    const RowTerms<Tiling::block_rows> own_lse(lse, piece.first, args.shape.tokens);
    rings.own.wait_empty();
    own_lse.put(rings.terms(), kLog2E);
  }
  Mbarrier* full = rings.own.full + rings.own.place;
  if (threadIdx.x % 32 == 0) {
    const int heads = args.shape.heads;
    mbarrier_expect(full, Tiling::own_bytes);
#pragma unroll
    for (int group = 0; group < Tiling::warpgroups; ++group) {
      const int token = piece.first + group * Tiling::rows;
      const auto load = [&](int tile, const CUtensorMap& map, int head) {
        load_tile<Tiling>(rings.own_tile(tile, group), map, head, token, full);
      };
      load(0, args.qkv, piece.packed + (keys ? heads : 0));
      load(1, keys ? args.qkv : args.grad_y, keys ? piece.packed + 2 * heads : piece.merged);
      if (!keys) load(2, args.y, piece.merged);
    }
  }
  mbarrier_arrive(full);
  rings.own.advance();
}

/// k and v, or q and gradY: 64 rows of them.
template <class Tiling>
__device__ __forceinline__ void load_passing_rows(BackwardRings<Tiling>& rings, const WgmmaBackwardArguments& args,
                                                  const BackwardPiece& piece, const float* lse, int token) {
  constexpr bool keys = Tiling::keys;
  if constexpr (keys) {
    const int tokens = args.shape.tokens;
    const float* dots = args.dots + (lse - args.lse);
    const RowTerms<Tiling::rows> passing_lse(lse, token, tokens), passing_dots(dots, token, tokens);
    rings.passing.wait_empty();
    passing_lse.put(rings.terms(), kLog2E), passing_dots.put(rings.terms() + Tiling::rows, 1);
  } else {
    rings.passing.wait_empty();
  }
  Mbarrier* full = rings.passing.full + rings.passing.place;
  if (threadIdx.x % 32 == 0) {
    const int heads = args.shape.heads;
    mbarrier_expect(full, Tiling::stage_bytes);
    load_tile<Tiling>(rings.passing_tile(0), args.qkv, piece.packed + (keys ? 0 : heads), token, full);
    load_tile<Tiling>(rings.passing_tile(1), keys ? args.grad_y : args.qkv,
                      keys ? piece.merged : piece.packed + 2 * heads, token, full);
  }
  mbarrier_arrive(full);
  rings.passing.advance();
}

/// What the warp does from beginning to end.
template <class Tiling>
__device__ __forceinline__ void load_pieces(const WgmmaBackwardArguments& args) {
  BackwardRings<Tiling> rings;
  for (int number = static_cast<int>(blockIdx.x); number < args.pieces; number += static_cast<int>(gridDim.x)) {
    const BackwardPiece piece(args, number, Tiling::block_rows);
    const float* lse = args.lse + static_cast<int64_t>(piece.head) * args.shape.tokens;
    load_own_rows(rings, args, piece, lse);
#pragma unroll 1
    for (int token = 0; token < args.shape.tokens; token += Tiling::rows)
      load_passing_rows(rings, args, piece, lse, token);
  }
}

}  // namespace videomae::cuda
