// Backward pass of attention on wgmma: what its loading warp and its computing warpgroups have in common. Blocks are as
// many as multiprocessors; each does one piece of work after another, 128 own rows of a head, and meets the other
// side's rows in a ring.
#pragma once

#include "cuda/attention_operands.cuh"
#include "cuda/device/mbarrier.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/device/tensor_map.cuh"
#include "cuda/hopper/attention_backward_layout.h"

namespace videomae::cuda {

struct WgmmaBackwardArguments {
  CUtensorMap qkv, y, grad_y, grad_qkv;  // (B, N, 3, H, K), (B, N, H, K) twice, (B, N, 3, H, K)
  AttentionShape shape;
  float scale;
  const float* lse;  // (B, H, N)
  float* dots;       // (B, H, N), D: written by the kernel of queries, read by that of keys
  int blocks_of_head, pieces;
};

/// 128 rows of a head.
struct BackwardPiece {
  int head, first;     // (clip, head), and the first token
  int packed, merged;  // where the head begins in qkv and in y, for the copy engine

  __device__ __forceinline__ BackwardPiece(const WgmmaBackwardArguments& args, int number, int rows) {
    const AttentionShape& shape = args.shape;
    head = number / args.blocks_of_head;
    first = (number + head) % args.blocks_of_head * rows;  // no block gets more of the short last pieces than others
    const int clip = head / shape.heads, head_of_clip = head % shape.heads;
    merged = clip * shape.tokens * shape.heads + head_of_clip;
    packed = 3 * clip * shape.tokens * shape.heads + head_of_clip;
  }
};

/// Places in shared memory that the loading warp fills and computing warps give back, one after another and round
/// again. Either side walks through them with a copy of its own.
template <int places>
struct BarrierRing {
  Mbarrier *full, *empty;
  int place = 0;
  uint32_t round = 0;

  __device__ __forceinline__ explicit BarrierRing(size_t offset)
      : full(shared_memory<Mbarrier>(offset)), empty(full + places) {}

  /// One thread initialises; all lanes of the loading warp arrive when a place is filled. @param givers  arrivals that
  /// give it back
  __device__ __forceinline__ void initialise(int givers) const {
    for (int i = 0; i < places; ++i) mbarrier_init(full + i, 32), mbarrier_init(empty + i, givers);
  }
  __device__ __forceinline__ void wait_full() const { mbarrier_wait(full + place, round); }
  __device__ __forceinline__ void wait_empty() const { mbarrier_wait(empty + place, round ^ 1); }
  __device__ __forceinline__ void advance() {
    if (++place == places) place = 0, round ^= 1;
  }
  __device__ __forceinline__ int before() const { return (place == 0 ? places : place) - 1; }
};

template <class Tiling>
struct BackwardRings {
  BarrierRing<Tiling::own_stages> own{Tiling::barriers};
  BarrierRing<Tiling::stages> passing{Tiling::barriers + 2 * Tiling::own_stages * sizeof(Mbarrier)};

  __device__ __forceinline__ void initialise() const {
    own.initialise(Tiling::warpgroups);
    passing.initialise(4 * Tiling::warpgroups);
    fence_mbarrier_init();
  }

  // Offsets in shared memory of what is in the rings' present places.
  __device__ __forceinline__ int own_tile(int tile, int warpgroup) const {
    return own.place * Tiling::own_bytes + (tile * Tiling::warpgroups + warpgroup) * Tiling::tile_bytes;
  }
  __device__ __forceinline__ int passing_tile(int tile) const {
    return Tiling::ring + passing.place * Tiling::stage_bytes + tile * Tiling::tile_bytes;
  }
  __device__ __forceinline__ float* terms() const {
    return shared_memory<float>(Tiling::terms + (Tiling::keys ? passing.place : own.place) * Tiling::terms_of_stage);
  }
};

}  // namespace videomae::cuda
