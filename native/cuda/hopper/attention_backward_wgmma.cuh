// Fused attention backward in bf16 on wgmma, in two kernels that are one template, as attention_backward.cuh has them
// for mma.sync: of queries, which computes D and dQ, and of keys, which computes dK and dV. The formulas are the same,
// and so is the reason for two: no sum is shared between blocks.
//
// Blocks are as many as multiprocessors, and do one piece of work after another: 128 own rows of a head. A warp has the
// copy engine load own rows, of the next piece while this one is computed, and the other side's through a ring. Two
// warpgroups have 64 own rows each:
//   S = own_qk other_qk^T    P = 2^(log2(e) (scale S - lse))    dP = own_other other^T    dS = P (dP - D)
//   keys: dV += P other      both: dQ or dK += dS other_qk
// with (own_qk, own_other, other_qk, other) = (q, gradY, k, v), or (k, v, q, gradY). P and dS become left operands in
// the registers that hold them. The tensor core has dP to do while P is computed, dV while dS is, and the products of
// the other warpgroup all the time.
#pragma once

#include "cuda/attention_accumulators.cuh"
#include "cuda/device/bulk_group.cuh"
#include "cuda/device/exp2.cuh"
#include "cuda/device/named_barrier.cuh"
#include "cuda/device/register_budget.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/device/tensor_map.cuh"
#include "cuda/device/tma.cuh"
#include "cuda/device/wgmma.cuh"
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
    head = number / args.blocks_of_head, first = number % args.blocks_of_head * rows;
    const int clip = head / shape.heads, head_of_clip = head % shape.heads;
    merged = clip * shape.tokens * shape.heads + head_of_clip;
    packed = 3 * clip * shape.tokens * shape.heads + head_of_clip;
  }
};

/// A place in a ring, and the parity of the barrier's phase in which it is filled there.
template <int stages>
struct RingPlace {
  int stage = 0;
  uint32_t round = 0;

  __device__ __forceinline__ void advance() {
    if (++stage == stages) stage = 0, round ^= 1;
  }
  __device__ __forceinline__ int before() const { return (stage == 0 ? stages : stage) - 1; }
};

template <class Tiling>
struct BackwardBarriers {
  Mbarrier *own_full, *own_empty, *full, *empty;

  __device__ __forceinline__ BackwardBarriers() {
    own_full = shared_memory<Mbarrier>(Tiling::barriers);
    own_empty = own_full + Tiling::own_stages, full = own_empty + Tiling::own_stages, empty = full + Tiling::stages;
  }

  /// One thread initialises.
  __device__ __forceinline__ void initialise() const {
    for (int i = 0; i < Tiling::own_stages; ++i)
      mbarrier_init(own_full + i, 1), mbarrier_init(own_empty + i, Tiling::warpgroups);
    for (int i = 0; i < Tiling::stages; ++i)
      mbarrier_init(full + i, Tiling::keys ? 32 : 1), mbarrier_init(empty + i, 4 * Tiling::warpgroups);
    fence_mbarrier_init();
  }
};

// ---- loading ----

/// 64 rows of a head from `token` on. @param head  where it begins in the tensor
template <class Tiling>
__device__ __forceinline__ void load_tile(int to, const CUtensorMap& map, int head, int token, Mbarrier* barrier) {
#pragma unroll
  for (int i = 0; i < Tiling::boxes; ++i)
    tma_load(shared_memory<unsigned char>(to + i * Tiling::box_bytes), map, i * Tiling::box_columns, token, head,
             barrier);
}

/// What one warp does from beginning to end.
template <class Tiling>
__device__ __forceinline__ void load_pieces(const WgmmaBackwardArguments& args) {
  constexpr bool keys = Tiling::keys;
  constexpr int rows = Tiling::rows;
  const BackwardBarriers<Tiling> barriers;
  const int lane = static_cast<int>(threadIdx.x) % 32, tokens = args.shape.tokens, heads = args.shape.heads;
  RingPlace<Tiling::own_stages> own;
  RingPlace<Tiling::stages> ring;
  for (int number = static_cast<int>(blockIdx.x); number < args.pieces; number += static_cast<int>(gridDim.x)) {
    const BackwardPiece piece(args, number, Tiling::block_rows);
    const int q = piece.packed, k = piece.packed + heads, v = piece.packed + 2 * heads;
    if (lane == 0) {
      Mbarrier* barrier = barriers.own_full + own.stage;
      mbarrier_wait(barriers.own_empty + own.stage, own.round ^ 1);
      mbarrier_arrive_expect(barrier, Tiling::own_bytes);
      for (int group = 0; group < Tiling::warpgroups; ++group) {
        const auto load = [&](int tile, const CUtensorMap& map, int head) {
          load_tile<Tiling>(Tiling::own_tile(own.stage, tile, group), map, head, piece.first + group * rows, barrier);
        };
        load(0, args.qkv, keys ? k : q);
        keys ? load(1, args.qkv, v) : load(1, args.grad_y, piece.merged);
        if (!keys) load(2, args.y, piece.merged);
      }
    }
    own.advance();
    const float *lse = args.lse + static_cast<int64_t>(piece.head) * tokens,
                *dots = args.dots + static_cast<int64_t>(piece.head) * tokens;
    for (int token = 0; token < tokens; token += rows) {
      float terms[2][2] = {};  // of this lane's two rows; asked for before the wait
      if constexpr (keys) {
        for (int i = 0; i < 2; ++i)
          if (const int row = token + 32 * i + lane; row < tokens) terms[0][i] = lse[row], terms[1][i] = dots[row];
      }
      Mbarrier* barrier = barriers.full + ring.stage;
      mbarrier_wait(barriers.empty + ring.stage, ring.round ^ 1);
      if (lane == 0) {
        mbarrier_expect(barrier, Tiling::stage_bytes);
        load_tile<Tiling>(Tiling::passing_tile(ring.stage, 0), args.qkv, keys ? q : k, token, barrier);
        if constexpr (keys)
          load_tile<Tiling>(Tiling::passing_tile(ring.stage, 1), args.grad_y, piece.merged, token, barrier);
        else
          load_tile<Tiling>(Tiling::passing_tile(ring.stage, 1), args.qkv, v, token, barrier);
      }
      if constexpr (keys) {
        float* to = shared_memory<float>(Tiling::terms + ring.stage * Tiling::terms_bytes);
        for (int i = 0; i < 2; ++i)
          to[32 * i + lane] = kLog2E * terms[0][i], to[rows + 32 * i + lane] = terms[1][i];
      }
      if (keys || lane == 0) mbarrier_arrive(barrier);
      ring.advance();
    }
  }
}

// ---- computing ----

/// The descriptor of an operand that lies `bytes` further on.
__device__ __forceinline__ uint64_t further(uint64_t descriptor, uint32_t bytes) { return descriptor + (bytes >> 4); }

/// Accumulators rounded to bf16: 16 columns a step, as the left operand of a product. Columns that there are none of are
/// zero.
template <int count>
__device__ __forceinline__ void round_columns(uint32_t (&a)[(count + 7) / 8][4], const float (&d)[count],
                                              float factor) {
#pragma unroll
  for (int i = 0; i < (count + 7) / 8 * 4; ++i)
    a[i / 4][i % 4] = 2 * i < count ? pack_bf16(d[2 * i] * factor, d[2 * i + 1] * factor) : 0;
}

/// The place of this lane's row of 8 columns among this warp's 16 rows and the 16 columns of a step, as ldmatrix and
/// stmatrix want them for a left operand.
template <class Tiling>
__device__ __forceinline__ unsigned char* operand_row(int tile, int step) {
  const int thread = static_cast<int>(threadIdx.x) % kWarpgroup, lane = thread % 32;
  return shared_memory<unsigned char>(tile) +
         Tiling::by_rows().offset(thread / 32 * 16 + lane % 16, 16 * step + lane / 16 * 8);
}

/// Own rows of a product: registers, or a tile in shared memory.
template <class Tiling, bool registers = Tiling::own_in_registers>
struct OwnRows {
  uint32_t a[Tiling::steps][4];

  __device__ __forceinline__ explicit OwnRows(int tile) {
#pragma unroll
    for (int k = 0; k < Tiling::steps; ++k) ldmatrix_x4(a[k], operand_row<Tiling>(tile, k)), tie_registers(a[k]);
  }
};

template <class Tiling>
struct OwnRows<Tiling, false> {
  uint64_t descriptor;

  __device__ __forceinline__ explicit OwnRows(int tile)
      : descriptor(
            encode(Tiling::by_rows().descriptor(shared_address(shared_memory<unsigned char>(tile)), 0, 0))) {}
};

/// Starts d (64, 64) = own rows (64, K) times those of a tile (64, K)^T.
template <class Tiling>
__device__ __forceinline__ void start_rows_product(float (&d)[Tiling::rows / 2], const OwnRows<Tiling>& own, int tile) {
  const uint64_t b =
      encode(Tiling::by_rows().descriptor(shared_address(shared_memory<unsigned char>(tile)), 0, 0));
  wgmma_fence(d);
#pragma unroll
  for (int k = 0; k < Tiling::steps; ++k) {
    const uint32_t along = Tiling::by_rows().descriptor(0, 0, 16 * k).start;
    if constexpr (Tiling::own_in_registers)
      wgmma_registers<Tiling::rows, Major::k>(d, own.a[k], further(b, along), k > 0);
    else
      wgmma_shared<Tiling::rows, Major::k, Major::k>(d, further(own.descriptor, along), further(b, along), k > 0);
  }
  wgmma_commit();
}

/// Starts sum (64, K) += a (64, 64) times a tile (64, K).
template <class Tiling>
__device__ __forceinline__ void start_columns_product(float (&sum)[Tiling::width / 2],
                                                      uint32_t (&a)[Tiling::rows / 16][4], int tile) {
  const uint64_t b =
      encode(Tiling::by_columns().descriptor(shared_address(shared_memory<unsigned char>(tile)), 0, 0));
#pragma unroll
  for (int k = 0; k < Tiling::rows / 16; ++k) tie_registers(a[k]);
  wgmma_fence(sum);
#pragma unroll
  for (int k = 0; k < Tiling::rows / 16; ++k)
    wgmma_registers<Tiling::width, Major::mn>(sum, a[k], further(b, Tiling::by_columns().descriptor(0, 0, 16 * k).start),
                                              1);
  wgmma_commit();
}

/// D of this thread's two rows, from gradY and y in shared memory; the four lanes that hold a row share the work.
template <class Tiling>
__device__ __forceinline__ void tile_dots(float (&dots)[1][2], int grad_y, int y) {
  const int thread = static_cast<int>(threadIdx.x) % kWarpgroup, lane = thread % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float dot = 0;
#pragma unroll
    for (int c = 0; c < Tiling::columns; c += 32) {
      const int at = Tiling::by_rows().offset(thread / 32 * 16 + 8 * half + lane / 4, c + lane % 4 * 8);
      const uint4 p = *shared_memory<uint4>(grad_y + at), q = *shared_memory<uint4>(y + at);
      const uint32_t left[4] = {p.x, p.y, p.z, p.w}, right[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        const float2 u = unpack_bf16(left[w]), v = unpack_bf16(right[w]);
        dot += u.x * v.x + u.y * v.y;
      }
    }
    dots[0][half] = quad_sum(dot);
  }
}

/// Accumulators times `factor`, rounded, over 64 rows of a tile.
template <class Tiling>
__device__ __forceinline__ void put_tile(int tile, const float (&sum)[Tiling::width / 2], float factor) {
  uint32_t rounded[Tiling::steps][4];
  round_columns(rounded, sum, factor);
#pragma unroll
  for (int k = 0; k < Tiling::steps; ++k) stmatrix_x4(operand_row<Tiling>(tile, k), rounded[k]);
}

/// What a warpgroup does from beginning to end.
template <class Tiling>
__device__ __forceinline__ void compute_pieces(const WgmmaBackwardArguments& args, int warpgroup) {
  constexpr bool keys = Tiling::keys;
  constexpr int rows = Tiling::rows;
  const BackwardBarriers<Tiling> barriers;
  const int thread = static_cast<int>(threadIdx.x) % kWarpgroup, warp = thread / 32, lane = thread % 32;
  const int tokens = args.shape.tokens;
  const float scale = args.scale, scale2 = scale * kLog2E;
  RingPlace<Tiling::own_stages> own;
  RingPlace<Tiling::stages> ring;

  const auto wait_for_stage = [&] { mbarrier_wait(barriers.full + ring.stage, ring.round); };
  const auto give_stage_back = [&](int stage) {
    warp_sync();
    if (lane == 0) mbarrier_arrive(barriers.empty + stage);
  };
  for (int number = static_cast<int>(blockIdx.x); number < args.pieces; number += static_cast<int>(gridDim.x)) {
    const BackwardPiece piece(args, number, Tiling::block_rows);
    const int first = piece.first + warpgroup * rows;
    // The gradients of the piece before have lain in its own rows until now.
    const auto give_own_rows_back = [&] {
      if (thread == 0 && number != static_cast<int>(blockIdx.x)) {
        bulk_wait_read<0>();
        mbarrier_arrive(barriers.own_empty + own.before());
      }
    };
    if (first >= tokens) {  // no rows here: the ring goes on without this warpgroup
      give_own_rows_back();
      for (int token = 0; token < tokens; token += rows, ring.advance()) {
        wait_for_stage();
        give_stage_back(ring.stage);
      }
      own.advance();
      continue;
    }

    const int64_t head_begin = static_cast<int64_t>(piece.head) * tokens;
    float own_lse[1][2], own_dots[1][2];
    if constexpr (!keys) read_row_terms(own_lse, args.lse + head_begin, first + 16 * warp, tokens);
    const int own_qk = Tiling::own_tile(own.stage, 0, warpgroup), own_other = Tiling::own_tile(own.stage, 1, warpgroup);
    mbarrier_wait(barriers.own_full + own.stage, own.round);
    const OwnRows<Tiling> left_qk(own_qk), left_other(own_other);
    give_own_rows_back();
    if constexpr (!keys) {
      tile_dots<Tiling>(own_dots, own_other, Tiling::own_tile(own.stage, 2, warpgroup));
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        own_lse[0][half] *= kLog2E;
        const int token = first + 16 * warp + 8 * half + lane / 4;
        if (lane % 4 == 0 && token < tokens) args.dots[head_begin + token] = own_dots[0][half];
      }
    }

    float sum[Tiling::width / 2], sum_v[Tiling::width / 2];  // dQ, or dK, but for the factor; dV
#pragma unroll
    for (int i = 0; i < Tiling::width / 2; ++i) sum[i] = sum_v[i] = 0;
#pragma unroll 1
    for (int token = 0; token < tokens; token += rows, ring.advance()) {
      const int other_qk = Tiling::passing_tile(ring.stage, 0), other = Tiling::passing_tile(ring.stage, 1);
      float s[rows / 2], dp[rows / 2];
      [[maybe_unused]] uint32_t p[rows / 16][4];
      uint32_t ds[rows / 16][4];
      wait_for_stage();
      start_rows_product<Tiling>(s, left_qk, other_qk);
      start_rows_product<Tiling>(dp, left_other, other);
      wgmma_wait<1>(s);  // and what the step before added to sums
      if (token > 0) give_stage_back(ring.before());

      const float* column = shared_memory<float>(Tiling::terms + ring.stage * Tiling::terms_bytes) + lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < rows / 8; ++n) {
        float2 lse;
        if constexpr (keys) lse = *reinterpret_cast<const float2*>(column + 8 * n);
#pragma unroll
        for (int i = 4 * n; i < 4 * n + 4; ++i)
          s[i] = exp2_approximate(s[i] * scale2 - (keys ? (i % 2 ? lse.y : lse.x) : own_lse[0][i / 2 % 2]));
      }
      if constexpr (keys) {
        round_columns(p, s, 1);
        start_columns_product<Tiling>(sum_v, p, other);
      }
      wgmma_wait<keys ? 1 : 0>(dp);
#pragma unroll
      for (int n = 0; n < rows / 8; ++n) {
        float2 dots;
        if constexpr (keys) dots = *reinterpret_cast<const float2*>(column + rows + 8 * n);
#pragma unroll
        for (int i = 4 * n; i < 4 * n + 4; ++i)
          dp[i] = s[i] * (dp[i] - (keys ? (i % 2 ? dots.y : dots.x) : own_dots[0][i / 2 % 2]));
      }
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
    give_stage_back(ring.before());

    named_barrier_sync(1 + warpgroup, kWarpgroup);  // all have done with the warpgroup's own rows
    put_tile<Tiling>(own_qk, sum, scale);
    if constexpr (keys) put_tile<Tiling>(own_other, sum_v, 1);
    fence_proxy_async_shared();
    named_barrier_sync(1 + warpgroup, kWarpgroup);
    if (thread == 0) {
      const auto store = [&](int tile, int part) {
#pragma unroll
        for (int i = 0; i < Tiling::boxes; ++i)
          tma_store(args.grad_qkv, i * Tiling::box_columns, first, piece.packed + part * args.shape.heads,
                    shared_memory<unsigned char>(tile + i * Tiling::box_bytes));
      };
      store(own_qk, keys ? 1 : 0);
      if (keys) store(own_other, 2);
      bulk_commit();
    }
    own.advance();
  }
  if (thread == 0) bulk_wait<0>();
}

template <class Tiling>
__global__ void __launch_bounds__(Tiling::threads, 1)
    attention_backward_wgmma_side(const __grid_constant__ WgmmaBackwardArguments args) {
  const int warpgroup = static_cast<int>(threadIdx.x) / kWarpgroup;
  if (threadIdx.x == 0) BackwardBarriers<Tiling>().initialise();
  block_sync();
  if (warpgroup == Tiling::warpgroups) {
    register_budget_lower<40>();
    if (static_cast<int>(threadIdx.x) % kWarpgroup < 32) load_pieces<Tiling>(args);
  } else {
    register_budget_raise<232>();
    compute_pieces<Tiling>(args, warpgroup);
  }
}

}  // namespace videomae::cuda
