// bf16 products by wgmma (capability 9.0a): blocks that stay, in which a warp feeds a ring of stages by the copy engine
// and two warpgroups multiply out of it.
//
// There is a block for each multiprocessor, and each takes every gridDim.x-th tile. The producer runs ahead from tile
// to tile, as far as the ring is long. Tiles of 128 x 256 are shared by the warpgroups, 64 rows each, which needs the
// least traffic; narrower tiles go to the warpgroups in turns, so that the tensor cores work on one while the epilogue
// of the other runs. Which of them multiplies is passed on by a named barrier; that also keeps a warpgroup from waiting
// for a phase of the ring that is more than one round ahead, which a parity could not tell.
#pragma once

#include "cuda/device/dependent_launch.cuh"
#include "cuda/device/named_barrier.cuh"
#include "cuda/device/register_budget.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/device/tma.cuh"
#include "cuda/device/wgmma.cuh"
#include "cuda/gemm_tile.h"
#include "cuda/hopper/gemm_wgmma_finish.cuh"

namespace videomae::cuda {

struct WgmmaArguments {
  int steps;                      // of 64 of k
  int batch, parts;               // tiles of C are done so often
  bool a_batched, b_batched;      // the operand's items differ
  int64_t batch_step, part_step;  // elements of C
  Epilogue<bf16> epilogue;
};

/// One tile of one item of the batch and of one part of k.
struct WgmmaWork {
  int row0, col0, item, part, first_step, steps;
};

template <class Shape>
struct WgmmaWorks {
  int tiles_m, tiles_n, count;

  __device__ __forceinline__ explicit WgmmaWorks(const WgmmaArguments& g)
      : tiles_m((g.epilogue.m + Shape::block_m - 1) / Shape::block_m),
        tiles_n((g.epilogue.n + Shape::block_n - 1) / Shape::block_n),
        count(tiles_m * tiles_n * g.batch * g.parts) {}

  __device__ __forceinline__ WgmmaWork at(int number, const WgmmaArguments& g) const {
    const int tiles = tiles_m * tiles_n, other = number / tiles, part = other / g.batch;
    const Place place = tile_place(number % tiles, tiles_m, tiles_n);
    const int first = first_step_of_part(g.steps, part, g.parts);
    return {place.row * Shape::block_m,
            place.col * Shape::block_n,
            other % g.batch,
            part,
            first,
            first_step_of_part(g.steps, part + 1, g.parts) - first};
  }
};

/// The ring of stages. Steps are counted through all tiles of the block: step s is in stage s % stages.
template <class Shape>
struct WgmmaRing {
  unsigned char* memory;
  Mbarrier *full, *empty;

  __device__ __forceinline__ WgmmaRing()
      : memory(shared_memory<unsigned char>()),
        full(shared_memory<Mbarrier>(Shape::barriers_at)),
        empty(full + Shape::stages) {}

  __device__ __forceinline__ void init() const {
    for (int stage = 0; stage < Shape::stages; ++stage) {
      mbarrier_init(&full[stage], 1);
      mbarrier_init(&empty[stage], Shape::releases);
    }
    fence_mbarrier_init();
  }
  static __device__ __forceinline__ int stage(int step) { return step % Shape::stages; }
  static __device__ __forceinline__ uint32_t parity(int step) { return step / Shape::stages & 1; }
};

/// Loads one step of an operand: rows or columns from `mn` on.
template <class Shape, Major major, int mn_size>
__device__ __forceinline__ void load_operand(unsigned char* to, const CUtensorMap& map, int mn, int k, int item,
                                             Mbarrier* full) {
  constexpr WgmmaTile tile = Shape::operand(major, mn_size);
#pragma unroll
  for (int box = 0; box < Shape::boxes(major, mn_size); ++box)
    tma_load(to + box * tile.block_bytes(), map, major == Major::k ? k : mn + box * Shape::box_width(),
             major == Major::k ? mn : k, item, full);
}

/// What one thread does: keeps the ring full.
template <class Shape, Major a_major, Major b_major>
__device__ __forceinline__ void produce(const CUtensorMap& a, const CUtensorMap& b, const WgmmaArguments& g) {
  const WgmmaRing<Shape> ring;
  const WgmmaWorks<Shape> works(g);
  int step = 0;
  for (int number = static_cast<int>(blockIdx.x); number < works.count; number += static_cast<int>(gridDim.x)) {
    const WgmmaWork work = works.at(number, g);
    for (int i = 0; i < work.steps; ++i, ++step) {
      const int stage = ring.stage(step), k = (work.first_step + i) * Shape::step;
      unsigned char* const to = ring.memory + stage * Shape::stage_bytes;
      mbarrier_wait(&ring.empty[stage], ring.parity(step) ^ 1);  // of the round before; the first waits for none
      mbarrier_arrive_expect(&ring.full[stage], Shape::stage_bytes);
      load_operand<Shape, a_major, Shape::block_m>(to, a, work.row0, k, g.a_batched ? work.item : 0, &ring.full[stage]);
      load_operand<Shape, b_major, Shape::block_n>(to + Shape::a_bytes, b, work.col0, k, g.b_batched ? work.item : 0,
                                                   &ring.full[stage]);
    }
  }
}

/// What a consumer warpgroup does, number `group`.
template <class Shape, Major a_major, Major b_major>
__device__ __forceinline__ void consume(const WgmmaArguments& g, int group) {
  constexpr int n = Shape::block_n, row_groups = Shape::row_groups;
  constexpr WgmmaTile a_tile = Shape::operand(a_major, Shape::block_m), b_tile = Shape::operand(b_major, n);
  constexpr int turns = 1, both = Shape::consumers * kWarpgroup;  // named barriers `turns` + group
  const WgmmaRing<Shape> ring;
  const WgmmaWorks<Shape> works(g);
  const bool leader = threadIdx.x % 32 == 0;
  const uint32_t base = shared_address(ring.memory);
  const int first_row = Shape::in_turns ? 0 : group * 64;
  const auto release = [&](int step) {
    if (leader) mbarrier_arrive(&ring.empty[ring.stage(step)]);
  };

  const int first = static_cast<int>(blockIdx.x), stride = static_cast<int>(gridDim.x);
  int step = 0;
  bool theirs = group == 0;  // whether the tile before was the other warpgroup's, as it were
  for (int number = first; number < works.count; number += stride) {
    const WgmmaWork work = works.at(number, g);
    if (Shape::in_turns) {
      theirs = !theirs;
      if (theirs) {
        step += work.steps;
        continue;
      }
      if (number > first) named_barrier_sync(turns + group, both);
    }
    float sums[row_groups][n / 2];
    for (int i = 0; i < work.steps; ++i, ++step) {
      const uint32_t a = base + ring.stage(step) * Shape::stage_bytes, b = a + Shape::a_bytes;
      mbarrier_wait(&ring.full[ring.stage(step)], ring.parity(step));
      wgmma_fence(sums[0]);
      tie_registers(sums[row_groups - 1]);
#pragma unroll
      for (int k = 0; k < Shape::step; k += 16)
#pragma unroll
        for (int rows = 0; rows < row_groups; ++rows)
          wgmma_shared<n, a_major, b_major>(sums[rows], encode(a_tile.descriptor(a, first_row + rows * 64, k)),
                                            encode(b_tile.descriptor(b, 0, k)), i > 0 || k > 0);
      wgmma_commit();
      wgmma_wait<1>(sums[0]);
      tie_registers(sums[row_groups - 1]);
      if (i > 0) release(step - 1);
    }
    if (Shape::in_turns && number + stride < works.count) named_barrier_arrive(turns + 1 - group, both);
    wgmma_wait<0>(sums[0]);
    tie_registers(sums[row_groups - 1]);
    release(step - 1);
    Epilogue<bf16> epilogue = g.epilogue;
    epilogue.skip(work.item * g.batch_step + work.part * g.part_step);
    finish_sums<Shape>(epilogue, sums, work.row0 + first_row, work.col0);
  }
}

template <class Shape, Major a_major, Major b_major>
__global__ void __launch_bounds__(Shape::threads, 1)
    gemm_wgmma(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
               const __grid_constant__ WgmmaArguments g) {
  dependent_launch_begin();
  if (threadIdx.x == 0) WgmmaRing<Shape>().init();
  block_sync();
  const int warpgroup = static_cast<int>(threadIdx.x) / kWarpgroup;
  if (warpgroup == 0) {
    register_budget_lower<24>();
    if (threadIdx.x == 0) {
      tma_prefetch_map(a), tma_prefetch_map(b);
      produce<Shape, a_major, b_major>(a, b, g);
    }
  } else {
    register_budget_raise<240>();
    consume<Shape, a_major, b_major>(g, warpgroup - 1);
  }
}

}  // namespace videomae::cuda
