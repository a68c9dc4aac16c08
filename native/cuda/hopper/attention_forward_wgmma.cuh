// Fused attention forward in bf16 by wgmma, for many tokens. A block has two warpgroups of 64 queries each, or three,
// and one that loads for them; it does several pieces of work, one after the other: so many queries of one head.
//
// The loader's one thread has the copy engine bring queries into two slots and keys and values into a ring, in the
// order in which they are needed: K0 K1 V0 K2 V1 ... It reads q, k and v out of (B, N, 3, H, K) through tensor maps
// whose axes are the columns of a head, the tokens of a clip, and where head and clip begin, in units of K. So columns
// beyond the head and tokens beyond the clip are zeros, and not the neighbour's.
//
// A warpgroup issues the product with the next keys and that of its probabilities with the values before, which run
// while it exponentiates; probabilities stay in registers. Warpgroups take turns in issuing, so that one's exponentials
// lie beside the other's products. The last keys come first, because they are the ones to be masked.
#pragma once

#include "cuda/attention_operands.cuh"
#include "cuda/device/bulk_group.cuh"
#include "cuda/device/dependent_launch.cuh"
#include "cuda/device/named_barrier.cuh"
#include "cuda/device/register_budget.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/device/tma.cuh"
#include "cuda/device/wgmma.cuh"
#include "cuda/hopper/attention_forward_layout.h"
#include "cuda/hopper/lagging_softmax.cuh"

namespace videomae::cuda {

struct WgmmaForwardArguments {
  AttentionShape shape;
  float scale;  // of q.k, for exponents of two
  int pieces;   // of work: blocks of queries of all heads
  float* lse;   // (B, H, N)
};

/// Queries of a head that a block does at a time.
struct WorkPiece {
  int head, first;  // (clip, head) pair; token

  template <class Tiling>
  static __device__ __forceinline__ WorkPiece of(int piece, const AttentionShape& shape) {
    const int blocks = (shape.tokens + Tiling::queries - 1) / Tiling::queries;
    return {piece / blocks, piece % blocks * Tiling::queries};
  }
};

/// Slots in shared memory, filled and emptied in turn: a slot's mbarriers, and how often all have been gone through.
template <int slots>
struct SlotRing {
  Mbarrier* full;   // (slots), one arrival and the bytes
  Mbarrier* empty;  // (slots), one arrival a consuming warp
  int slot = 0;
  uint32_t round = 0;  // modulo 2

  __device__ __forceinline__ void make(int consuming_warps) const {
    for (int i = 0; i < slots; ++i) mbarrier_init(full + i, 1), mbarrier_init(empty + i, consuming_warps);
  }
  __device__ __forceinline__ void wait_empty() const { mbarrier_wait(empty + slot, 1 - round); }
  __device__ __forceinline__ void wait_full() const { mbarrier_wait(full + slot, round); }
  __device__ __forceinline__ void next() {
    if (++slot == slots) slot = 0, round ^= 1;
  }
  /// By all lanes of a warp that has done with the slot.
  __device__ __forceinline__ void release(int of_slot) const {
    if (threadIdx.x % 32 == 0) mbarrier_arrive(empty + of_slot);
  }
};

/// The block's shared memory, as the tiling lays it out.
template <class Tiling>
struct WgmmaForwardMemory {
  SlotRing<Tiling::query_slots> queries{shared_memory<Mbarrier>(Tiling::mbarrier_offset),
                                        shared_memory<Mbarrier>(Tiling::mbarrier_offset) + Tiling::query_slots};
  SlotRing<Tiling::slots> ring{queries.full + 2 * Tiling::query_slots,
                               queries.full + 2 * Tiling::query_slots + Tiling::slots};

  __device__ __forceinline__ unsigned char* of_queries() const {
    return shared_memory<unsigned char>() + queries.slot * Tiling::query_bytes;
  }
  __device__ __forceinline__ unsigned char* of_ring() const {
    return shared_memory<unsigned char>(Tiling::ring_offset) + ring.slot * Tiling::slot_bytes;
  }
};

// ---- the loader ----

/// Where the head's rows of q (0), k (1) or v (2) begin, in units of its width.
__device__ __forceinline__ int packed_plane(const AttentionShape& shape, int head, int which) {
  return (head / shape.heads * shape.tokens * 3 + which) * shape.heads + head % shape.heads;
}

/// Fills the next slot of a ring with `tiles` tiles of a head's rows from token `first` on, a box at a time.
template <class Tiling, int tiles, int slots>
__device__ __forceinline__ void load_slot(SlotRing<slots>& ring, unsigned char* to, WgmmaTile tile,
                                          const CUtensorMap& map, int plane, int first) {
  Mbarrier* full = ring.full + ring.slot;
  ring.wait_empty();
  mbarrier_arrive_expect(full, tiles * tile.bytes());
#pragma unroll
  for (int part = 0; part < tiles; ++part)
#pragma unroll
    for (int box = 0; box < Tiling::boxes; ++box)
      tma_load(to + part * tile.bytes() + box * tile.block_bytes(), map, box * Tiling::box,
               first + part * static_cast<int>(tile.mn_size), plane, full);
  ring.next();
}

template <class Tiling>
__device__ __forceinline__ void load_all(WgmmaForwardMemory<Tiling>& memory, const CUtensorMap& query_map,
                                         const CUtensorMap& key_map, const WgmmaForwardArguments& args) {
  const AttentionShape& shape = args.shape;
  const int last = (shape.tokens - 1) / Tiling::keys * Tiling::keys;
  for (int piece = static_cast<int>(blockIdx.x); piece < args.pieces; piece += static_cast<int>(gridDim.x)) {
    const WorkPiece work = WorkPiece::of<Tiling>(piece, shape);
    const auto load = [&](int which, int first) {
      load_slot<Tiling, 1>(memory.ring, memory.of_ring(), Tiling::key_tile, key_map,
                           packed_plane(shape, work.head, which), first);
    };
    load_slot<Tiling, Tiling::consumers>(memory.queries, memory.of_queries(), Tiling::query_tile, query_map,
                                         packed_plane(shape, work.head, 0), work.first);
    load(1, last);
    for (int first = last - Tiling::keys; first >= 0; first -= Tiling::keys)
      load(1, first), load(2, first + Tiling::keys);
    load(2, 0);
  }
}

// ---- the warpgroups that multiply ----

/// Turns of the warpgroups in issuing products. Every wait takes what the one before passed on.
template <class Tiling>
struct IssueTurns {
  int warpgroup;

  __device__ __forceinline__ void wait() const { named_barrier_sync(1 + warpgroup, 2 * kWarpgroup); }
  __device__ __forceinline__ void pass() const {
    named_barrier_arrive(1 + (warpgroup + 1) % Tiling::consumers, 2 * kWarpgroup);
  }
};

/// Describes an operand at shared address `base` of whose descriptor at address 0 this is the code. Adding does it,
/// since addresses end below the field's; so a step costs one addition of 32 bits.
__device__ __forceinline__ uint64_t moved(uint64_t code, uint32_t base) {
  return (code & 0xFFFFFFFF00000000u) | (static_cast<uint32_t>(code) + (base >> 4));
}

/// Starts s = Q K^T, 64 queries by the keys of a slot.
template <class Tiling>
__device__ __forceinline__ void multiply_keys(float (&s)[Tiling::keys / 2], const unsigned char* queries,
                                              const unsigned char* keys) {
  constexpr WgmmaTile a = Tiling::query_tile, b = Tiling::key_tile;
  const uint32_t a_base = shared_address(queries), b_base = shared_address(keys);
  wgmma_fence(s);
#pragma unroll
  for (int step = 0; step < Tiling::steps; ++step)
    wgmma_shared<Tiling::keys, Major::k, Major::k>(s, moved(encode(a.descriptor(0, 0, 16 * step)), a_base),
                                                   moved(encode(b.descriptor(0, 0, 16 * step)), b_base), step > 0);
  wgmma_commit();
}

/// Before the product, and again after its wait: until then nothing else may be in these registers.
template <int steps>
__device__ __forceinline__ void tie_operand(uint32_t (&p)[steps][4]) {
#pragma unroll
  for (int step = 0; step < steps; ++step) tie_registers(p[step]);
}

/// Starts sum += P V.
template <class Tiling>
__device__ __forceinline__ void add_values(float (&sum)[Tiling::columns / 2], uint32_t (&p)[Tiling::keys / 16][4],
                                           const unsigned char* values) {
  constexpr WgmmaTile b = Tiling::value_tile;
  const uint32_t b_base = shared_address(values);
  tie_operand(p);
  wgmma_fence(sum);
#pragma unroll
  for (int step = 0; step < Tiling::keys / 16; ++step)
    wgmma_registers<Tiling::columns, Major::mn>(sum, p[step], moved(encode(b.descriptor(0, 0, 16 * step)), b_base), 1);
  wgmma_commit();
}

/// Has the copy engine write a warp's 16 rows of y from token `first` on, by way of its tile in shared memory.
template <class Tiling>
__device__ __forceinline__ void store_results(const CUtensorMap& map, unsigned char* to,
                                              const float (&sum)[Tiling::columns / 2], const float (&inverse)[2],
                                              int first, int plane) {
  constexpr WgmmaTile tile = Tiling::result_tile;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (lane == 0) bulk_wait_read<0>();
  warp_sync();  // the rows before have left
#pragma unroll
  for (int i = 0; i < Tiling::boxes * Tiling::box / 2; i += 2) {  // a box is stored whole
    const int half = i / 2 % 2;
    *reinterpret_cast<uint32_t*>(to + tile.offset(lane / 4 + 8 * half, i / 4 * 8 + lane % 4 * 2)) =
        i < Tiling::columns / 2 ? pack_bf16(sum[i] * inverse[half], sum[i + 1] * inverse[half]) : 0;
  }
  fence_proxy_async_shared();
  warp_sync();
  if (lane == 0) {
#pragma unroll
    for (int box = 0; box < Tiling::boxes; ++box)
      tma_store(map, box * Tiling::box, first, plane, to + box * tile.block_bytes());
    bulk_commit();
  }
}

/// One piece of work, for the warpgroup's 64 queries from token `first` on.
template <class Tiling>
__device__ __forceinline__ void attend(WgmmaForwardMemory<Tiling>& memory, const IssueTurns<Tiling>& turns, float scale,
                                       int tokens, LaggingSoftmax& softmax, float (&sum)[Tiling::columns / 2]) {
  constexpr int count = Tiling::keys / 2;
  const unsigned char* queries =
      memory.of_queries() + turns.warpgroup * static_cast<int>(WgmmaTile(Tiling::query_tile).bytes());
  float s[count];
  uint32_t p[Tiling::keys / 16][4];
  softmax.begin();
#pragma unroll
  for (int i = 0; i < Tiling::columns / 2; ++i) sum[i] = 0;

  memory.queries.wait_full();
  turns.wait();
  memory.ring.wait_full();
  multiply_keys<Tiling>(s, queries, memory.of_ring());
  turns.pass();
  wgmma_wait<0>(s);
  memory.ring.release(memory.ring.slot);
  memory.ring.next();
  const int blocks = (tokens + Tiling::keys - 1) / Tiling::keys;
  if (const int valid = tokens - (blocks - 1) * Tiling::keys; valid < Tiling::keys) mask_keys(s, valid);
  softmax.exponentiate(s, scale);
  round_probabilities(p, s);

#pragma unroll 1
  for (int block = 1; block < blocks; ++block) {
    turns.wait();
    memory.ring.wait_full();
    multiply_keys<Tiling>(s, queries, memory.of_ring());
    const int keys = memory.ring.slot;
    memory.ring.next();
    memory.ring.wait_full();
    add_values<Tiling>(sum, p, memory.of_ring());
    turns.pass();
    wgmma_wait<1>(s);
    memory.ring.release(keys);
    softmax.exponentiate(s, scale);
    wgmma_wait<0>(sum);
    tie_operand(p);
    memory.ring.release(memory.ring.slot);
    memory.ring.next();
    softmax.rescale(sum);
    round_probabilities(p, s);
  }
  memory.queries.release(memory.queries.slot);
  memory.queries.next();

  memory.ring.wait_full();
  add_values<Tiling>(sum, p, memory.of_ring());
  wgmma_wait<0>(sum);
  tie_operand(p);
  memory.ring.release(memory.ring.slot);
  memory.ring.next();
}

template <class Tiling>
__device__ __forceinline__ void attend_to_all(WgmmaForwardMemory<Tiling>& memory, const CUtensorMap& result_map,
                                              const WgmmaForwardArguments& args) {
  const AttentionShape& shape = args.shape;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const IssueTurns<Tiling> turns{thread / kWarpgroup};
  const float scale = args.scale;
  unsigned char* results = shared_memory<unsigned char>(Tiling::result_offset) +
                           warp * static_cast<int>(WgmmaTile(Tiling::result_tile).bytes());
  LaggingSoftmax softmax;
  float sum[Tiling::columns / 2];
  if (turns.warpgroup == Tiling::consumers - 1) turns.pass();  // the first has the first turn
  for (int piece = static_cast<int>(blockIdx.x); piece < args.pieces; piece += static_cast<int>(gridDim.x)) {
    const WorkPiece work = WorkPiece::of<Tiling>(piece, shape);
    attend<Tiling>(memory, turns, scale, shape.tokens, softmax, sum);
    const int first = work.first + 16 * warp;
    float inverse[2];
    float* lse = args.lse + static_cast<int64_t>(work.head) * shape.tokens;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float total = softmax.total[half];
      total += shuffle_xor(total, 1);
      total += shuffle_xor(total, 2);
      const int token = first + 8 * half + lane / 4;
      if (lane % 4 == 0 && token < shape.tokens) lse[token] = (softmax.reference[half] * scale + log2f(total)) * kLn2;
      inverse[half] = 1 / total;
    }
    const int plane = work.head / shape.heads * shape.tokens * shape.heads + work.head % shape.heads;
    if (first < shape.tokens) store_results<Tiling>(result_map, results, sum, inverse, first, plane);
  }
  if (turns.warpgroup == 0) turns.wait();  // the turn that nobody took
  if (lane == 0) bulk_wait_read<0>();
}

/// @param query_map, key_map  boxes of 64 and of Tiling::keys tokens of q, k and v
/// @param result_map  boxes of 16 tokens of y
template <class Tiling>
__global__ void __launch_bounds__(Tiling::threads, 1)
    attention_forward_wgmma_kernel(const __grid_constant__ CUtensorMap query_map,
                                   const __grid_constant__ CUtensorMap key_map,
                                   const __grid_constant__ CUtensorMap result_map, WgmmaForwardArguments args) {
  dependent_launch_begin();
  WgmmaForwardMemory<Tiling> memory;
  if (threadIdx.x == 0) {
    for (const CUtensorMap* map : {&query_map, &key_map, &result_map}) tma_prefetch_map(*map);
    memory.queries.make(Tiling::consumers * 4);
    memory.ring.make(Tiling::consumers * 4);
    fence_mbarrier_init();
  }
  block_sync();
  if (threadIdx.x / kWarpgroup == Tiling::consumers) {
    register_budget_lower<Tiling::producer_registers>();
    if (threadIdx.x % kWarpgroup == 0) load_all(memory, query_map, key_map, args);
  } else {
    register_budget_raise<Tiling::consumer_registers>();
    attend_to_all(memory, result_map, args);
  }
}

}  // namespace videomae::cuda
