// Fused attention backward in bf16 on wgmma, in two kernels that are one template, as attention_backward.cuh has them
// for mma.sync: of queries, which computes D and dQ, and of keys, which computes dK and dV. The formulas are the same,
// and so is the reason for two: no sum is shared between blocks, and bits are always the same.
//
// A warp loads (attention_backward_load.cuh). Two warpgroups have 64 own rows each:
//   S = own_qk other_qk^T    P = 2^(log2(e) (scale S - lse))    dP = own_other other^T    dS = P (dP - D)
//   keys: dV += P other      both: dQ or dK += dS other_qk
// with (own_qk, own_other, other_qk, other) = (q, gradY, k, v), or (k, v, q, gradY). P and dS become left operands in
// the registers that hold them. The tensor core has dP to do while P is computed, dV while dS is, and the products of
// the other warpgroup all the time.
#pragma once

#include "cuda/device/bulk_group.cuh"
#include "cuda/device/dependent_launch.cuh"
#include "cuda/device/exp2.cuh"
#include "cuda/device/named_barrier.cuh"
#include "cuda/device/register_budget.cuh"
#include "cuda/hopper/attention_backward_load.cuh"
#include "cuda/hopper/attention_backward_products.cuh"

namespace videomae::cuda {

/// Calls body(i, term) for every accumulator i of a 64 x 64 product, with the number that belongs to its row, of `own`,
/// or to its column, of the 64 in shared memory.
template <bool columns, class F>
__device__ __forceinline__ void with_terms(const float (&own)[2], const float* passing, F&& body) {
#pragma unroll
  for (int n = 0; n < 8; ++n) {
    float2 pair;
    if constexpr (columns) pair = *reinterpret_cast<const float2*>(passing + 8 * n + threadIdx.x % 4 * 2);
#pragma unroll
    for (int r = 0; r < 4; ++r) body(4 * n + r, columns ? (r % 2 ? pair.y : pair.x) : own[r / 2]);
  }
}

/// One thread starts to write 64 rows of a gradient; those beyond the last token are left out.
template <class Tiling>
__device__ __forceinline__ void store_tile(const CUtensorMap& map, int head, int token, int tile) {
#pragma unroll
  for (int i = 0; i < Tiling::boxes; ++i)
    tma_store(map, i * Tiling::box_columns, token, head, shared_memory<unsigned char>(tile + i * Tiling::box_bytes));
}

/// The two warpgroups start S and dP in turn, the first before the second: so that one computes P while the tensor core
/// has products of the other to do, and not both at the same time.
struct ProductTurns {
  int warpgroup;

  __device__ __forceinline__ void wait() const { named_barrier_sync(3 + warpgroup, 2 * kWarpgroup); }
  __device__ __forceinline__ void pass() const { named_barrier_arrive(4 - warpgroup, 2 * kWarpgroup); }
};

/// What a warpgroup does from beginning to end.
template <class Tiling>
__device__ __forceinline__ void compute_pieces(const WgmmaBackwardArguments& args, int warpgroup) {
  constexpr bool keys = Tiling::keys;
  constexpr int rows = Tiling::rows;
  const int thread = static_cast<int>(threadIdx.x) % kWarpgroup, lane = thread % 32;
  const int tokens = args.shape.tokens;
  const float scale = args.scale, scale2 = scale * kLog2E;
  BackwardRings<Tiling> rings;
  const ProductTurns turns{warpgroup};
  if (warpgroup == 1) turns.pass();

  const auto give_stage_back = [&](int place) {
    warp_sync();
    if (lane == 0) mbarrier_arrive(rings.passing.empty + place);
  };
  for (int number = static_cast<int>(blockIdx.x); number < args.pieces; number += static_cast<int>(gridDim.x)) {
    const BackwardPiece piece(args, number, Tiling::block_rows);
    const int first = piece.first + warpgroup * rows;
    // The gradients of the piece before have lain in its own rows until now.
    const auto give_own_rows_back = [&] {
      if (thread == 0 && number != static_cast<int>(blockIdx.x)) {
        bulk_wait_read<0>();
        mbarrier_arrive(rings.own.empty + rings.own.before());
      }
    };
    if (first >= tokens) {  // no rows here: the ring goes on without this warpgroup
      give_own_rows_back();
      for (int token = 0; token < tokens; token += rows, rings.passing.advance()) {
        rings.passing.wait_full();
        give_stage_back(rings.passing.place);
        turns.wait(), turns.pass();
      }
      rings.own.advance();
      continue;
    }

    const int own_qk = rings.own_tile(0, warpgroup), own_other = rings.own_tile(1, warpgroup);
    rings.own.wait_full();
    const OwnRows<Tiling, Tiling::qk_in_registers> left_qk(own_qk);
    const OwnRows<Tiling, Tiling::other_in_registers> left_other(own_other);
    give_own_rows_back();
    const int own_row = thread / 32 * 16 + lane / 4;  // and 8 further
    float own_lse[2], own_dots[2];
    if constexpr (!keys) {
      const float* lse = rings.terms() + warpgroup * rows + own_row;
      own_lse[0] = lse[0], own_lse[1] = lse[8];
    }
    float sum[Tiling::width / 2], sum_v[Tiling::width / 2];  // dQ, or dK, but for the factor; dV
#pragma unroll
    for (int i = 0; i < Tiling::width / 2; ++i) sum[i] = sum_v[i] = 0;
#pragma unroll 1
    for (int token = 0; token < tokens; token += rows, rings.passing.advance()) {
      const int other_qk = rings.passing_tile(0), other = rings.passing_tile(1);
      const float* terms = rings.terms();
      float s[rows / 2], dp[rows / 2];
      [[maybe_unused]] uint32_t p[rows / 16][4];
      uint32_t ds[rows / 16][4];
      rings.passing.wait_full();
      turns.wait();
      start_rows_product(s, left_qk, other_qk);
      start_rows_product(dp, left_other, other);
      turns.pass();
      if (!keys && token == 0) {
        tile_dots<Tiling>(own_dots, own_other, rings.own_tile(2, warpgroup));
        float* dots = args.dots + static_cast<int64_t>(piece.head) * tokens + first;
#pragma unroll
        for (int half = 0; half < 2; ++half)
          if (const int row = own_row + 8 * half; lane % 4 == 0 && first + row < tokens) dots[row] = own_dots[half];
      }
      wgmma_wait<1>(s);  // and what the step before added to sums
      if (token > 0) give_stage_back(rings.passing.before());

      with_terms<keys>(own_lse, terms, [&](int i, float lse) { s[i] = exp2_approximate(s[i] * scale2 - lse); });
      if constexpr (keys) {
        round_columns(p, s, 1);
        start_columns_product<Tiling>(sum_v, p, other);
      }
      wgmma_wait<keys ? 1 : 0>(dp);
      with_terms<keys>(own_dots, terms + rows, [&](int i, float dots) { dp[i] = s[i] * (dp[i] - dots); });
      // Columns beyond the last token: as queries they are zero rows of q and gradY, with lse and D zero: P is 1 and dS
      // is 0. As keys they have an S of 0, whose P may be anything.
      if (!keys && token + rows > tokens) {
#pragma unroll
        for (int i = 0; i < rows / 2; ++i)
          if (token + i / 4 * 8 + lane % 4 * 2 + i % 2 >= tokens) dp[i] = 0;
      }
      round_columns(ds, dp, 1);
      start_columns_product<Tiling>(sum, ds, other_qk);
    }
    wgmma_wait<0>(sum);
    tie_registers(sum_v);
    give_stage_back(rings.passing.before());

    named_barrier_sync(1 + warpgroup, kWarpgroup);  // all have done with the warpgroup's own rows
    put_tile<Tiling>(own_qk, sum, scale);
    if constexpr (keys) put_tile<Tiling>(own_other, sum_v, 1);
    fence_proxy_async_shared();
    named_barrier_sync(1 + warpgroup, kWarpgroup);
    if (thread == 0) {
      const int heads = args.shape.heads;
      store_tile<Tiling>(args.grad_qkv, piece.packed + (keys ? heads : 0), first, own_qk);
      if (keys) store_tile<Tiling>(args.grad_qkv, piece.packed + 2 * heads, first, own_other);
      bulk_commit();
    }
    rings.own.advance();
  }
  if (warpgroup == 0) turns.wait();  // takes the last turn that was passed on
  if (thread == 0) bulk_wait<0>();
}

template <class Tiling>
__global__ void __launch_bounds__(Tiling::threads, 1)
    attention_backward_wgmma_side(const __grid_constant__ WgmmaBackwardArguments args) {
  dependent_launch_begin();
  const int warpgroup = static_cast<int>(threadIdx.x) / kWarpgroup;
  if (threadIdx.x == 0) BackwardRings<Tiling>().initialise();
  block_sync();
  if (warpgroup == Tiling::warpgroups) {
    register_budget_lower<40>();
    if (threadIdx.x % kWarpgroup < 32) load_pieces<Tiling>(args);
  } else {
    register_budget_raise<232>();
    compute_pieces<Tiling>(args, warpgroup);
  }
}

}  // namespace videomae::cuda
