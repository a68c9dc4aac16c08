// How a warpgroup turns its sums into C. Each warp has 16 rows of 64 columns of fragments change into rows in shared
// memory of its own, so that C, the gate and the residual are touched in whole lines, and waits for no other warp.
#pragma once

#include "cuda/device/named_barrier.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/device/wgmma.cuh"
#include "cuda/gemm_epilogue.cuh"
#include "cuda/hopper/gemm_wgmma_tile.h"

namespace videomae::cuda {

/// The named barrier of consumer warpgroup 0; that of 1 follows.
constexpr int kColumnBarrier = 3;

/// Leaves the sums of 64 columns from `first` on in the warp's strip.
template <class Shape, int count>
__device__ __forceinline__ void store_strip(float* strip, const float (&sums)[count], int first) {
  const uint32_t lane = threadIdx.x % 32;
  uint32_t place[1] = {Shape::strip_place(lane / 4, lane % 4 * 2)};
  tie_registers(place);  // or all places would be computed ahead, and kept
#pragma unroll
  for (int eight = 0; eight < Shape::strip_cols / 8; ++eight)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      *reinterpret_cast<float2*>(strip + (place[0] ^ eight * 8) + half * 8 * Shape::strip_cols) =
          make_float2(sums[(first + eight * 8) / 2 + half * 2], sums[(first + eight * 8) / 2 + half * 2 + 1]);
}

/// Sums over the warpgroup's 64 rows of the columns whose sums over a warp's rows the lanes hold: eight partial sums a
/// column, in order. All threads of the warpgroup call.
template <class Shape>
__device__ __forceinline__ void add_columns(const Epilogue<bf16>& epilogue, float* strips, const Quad& mine, int group,
                                            int row0, int col0) {
  constexpr int cols = Shape::strip_cols, quads = cols / 4;
  const int thread = static_cast<int>(threadIdx.x) % kWarpgroup, warp = thread / 32, lane = thread % 32;
  warp_sync();  // the rows that lay here have been read
  store_floats<4>(strips + warp * Shape::strip_floats + lane / quads * cols + lane % quads * 4, mine);
  named_barrier_sync(kColumnBarrier + group, kWarpgroup);
  if (thread < cols && col0 + thread < epilogue.n) {
    float sum = 0;
    for (int i = 0; i < kWarpgroup / quads; ++i) sum += strips[i / 2 * Shape::strip_floats + i % 2 * cols + thread];
    epilogue.column_partials[static_cast<int64_t>(row0 / 64) * epilogue.n + col0 + thread] = sum;
  }
  named_barrier_sync(kColumnBarrier + group, kWarpgroup);  // before a strip is written again
}

/// Finishes a warpgroup's sums, which begin at (row0, col0) of C. Partial column sums are of 64 rows.
template <class Shape>
__device__ __forceinline__ void finish_sums(const Epilogue<bf16>& epilogue,
                                            const float (&sums)[Shape::row_groups][Shape::block_n / 2], int row0,
                                            int col0) {
  constexpr int cols = Shape::strip_cols, strips_across = Shape::block_n / cols, quads = cols / 4;
  constexpr int rows_apart = 32 / quads, ahead = 4;
#pragma unroll 1
  for (int number = 0; number < Shape::row_groups * strips_across; ++number) {
    const int row = row0 + number / strips_across * 64, col = col0 + number % strips_across * cols;
    if (row >= epilogue.m) break;
    if (col >= epilogue.n) continue;
    uint32_t thread[1] = {threadIdx.x - kWarpgroup};
    tie_registers(thread);  // or what follows from it would be computed before the products, and kept
    const int group = thread[0] / kWarpgroup, warp = thread[0] / 32 % 4, lane = thread[0] % 32;
    float* const strips = shared_memory<float>(Shape::strips_at) + group * (kWarpgroup / 32) * Shape::strip_floats;
    float* const strip = strips + warp * Shape::strip_floats;
    warp_sync();  // the rows of the strip before have been read
#pragma unroll
    for (int one = 0; one < Shape::row_groups * strips_across; ++one)
      if (one == number) store_strip<Shape>(strip, sums[one / strips_across], one % strips_across * cols);
    warp_sync();
    const int first_row = lane / quads, quad = lane % quads * 4;
    Quad columns{};
    if (col + quad < epilogue.n)
      columns = finish_rows<Shape::strip_rows / rows_apart, ahead>(
          epilogue, row + warp * Shape::strip_rows + first_row, rows_apart, col + quad,
          [&](int i) { return load_floats<4>(strip + Shape::strip_place(first_row + i * rows_apart, quad)); });
    if (epilogue.column_partials) add_columns<Shape>(epilogue, strips, columns, group, row, col);
  }
}

}  // namespace videomae::cuda
