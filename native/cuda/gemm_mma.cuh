// bf16 products on the tensor cores (mma.sync, capability 8.0): a ring of cp.async stages, ldmatrix out of swizzled
// tiles, f32 sums in registers.
//
// While the tensor cores work on one 16-wide step of k, the fragments of the next are on their way from shared memory,
// and the tiles `stages - 1` ahead from global memory; a block meets one barrier for each 32 of k. A warp holds warp_m
// x warp_n sums: 64 x 64 reads 4 KB of shared memory for 32 mma, half of what the tensor cores' time allows.
#pragma once

#include "cuda/device/cp_async.cuh"
#include "cuda/device/ldmatrix.cuh"
#include "cuda/device/mma_sync.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/gemm_epilogue.cuh"
#include "cuda/gemm_tile.h"

namespace videomae::cuda {

/// How an operand's rows may be copied: 16 bytes at a time, or by the elements' own alignment.
enum class Access { chunks, pairs, elements };

/// An operand in global memory: rows `ld` elements apart. Rows run along the contiguous index, k or mn.
struct MmaOperand {
  const bf16* data;
  int64_t ld;
  int64_t batch_step;
  Access access;
};

struct MmaArguments {
  MmaOperand a, b;
  int m, n, k;
  int k_part;            // of k for one part, a multiple of kStep; k when there is one part
  int64_t c_batch_step;  // elements
  int64_t c_part_step;   // likewise
  Epilogue<bf16> epilogue;
};

/// Copies an operand's tiles into shared memory, one step of k after the other.
template <class Tile, Major major, bool chunked>
class TileCopy {
 public:
  /// @param mn0  first row of A or column of B, @param mn_left  how many there are from there on
  __device__ __forceinline__ TileCopy(const MmaOperand& operand, int mn0, int mn_left, int k0)
      : ld_(operand.ld), mn_left_(mn_left), pairs_(operand.access != Access::elements) {
    const int thread = static_cast<int>(threadIdx.x);
    row_ = Tile::row(thread), inner_ = Tile::inner(thread);
    shared_ = Tile::copy_offset(thread);
    const int64_t row = row_ + (major == Major::k ? mn0 : k0), inner = inner_ + (major == Major::k ? k0 : mn0);
    from_ = operand.data + row * ld_ + inner;
  }

  /// Starts copying the next step into `tile`. @param k_left  of k from this step on; zeros fill what lies beyond
  __device__ __forceinline__ void next(unsigned char* tile, int k_left) {
    const int inner_left = (major == Major::k ? k_left : mn_left_) - inner_;
    const int length = inner_left < 0 ? 0 : inner_left > kChunk ? kChunk : inner_left;
    int rows_left = (major == Major::k ? mn_left_ : k_left) - row_;
    const bf16* from = from_;
    unsigned char* to = tile + shared_;
#pragma unroll
    for (int pass = 0; pass < Tile::passes; ++pass) {
      copy_chunk(to, from, rows_left > 0 ? length : 0);
      from += Tile::rows * ld_, to += Tile::pass_bytes, rows_left -= Tile::rows;
    }
    from_ += major == Major::k ? kStep : kStep * ld_;
  }

 private:
  /// The first `length` elements of a chunk of 8, then zeros.
  __device__ __forceinline__ void copy_chunk(unsigned char* to, const bf16* from, int length) const {
    if constexpr (chunked) {
      cp_async<16>(to, from, static_cast<uint32_t>(length) * 2);
    } else if (pairs_) {
#pragma unroll
      for (int i = 0; i < kChunk; i += 2) {
        const int valid = length - i < 0 ? 0 : length - i > 2 ? 2 : length - i;
        cp_async<4>(to + 2 * i, from + i, static_cast<uint32_t>(valid) * 2);
      }
    } else {
      uint32_t pair[kChunk / 2];
#pragma unroll
      for (int i = 0; i < kChunk; i += 2) {
        const uint32_t low = i < length ? from[i].bits : 0, high = i + 1 < length ? from[i + 1].bits : 0;
        pair[i / 2] = low | high << 16;
      }
      *reinterpret_cast<uint4*>(to) = make_uint4(pair[0], pair[1], pair[2], pair[3]);
    }
  }

  const bf16* from_;
  int64_t ld_;
  uint32_t shared_;
  int row_, inner_, mn_left_;
  bool pairs_;
};

/// A warp's fragments of one operand for 16 of k: `count` groups of 16 along mn.
template <class Tile, Major major, int count>
__device__ __forceinline__ void load_fragments(uint32_t (&fragments)[count][4], const unsigned char* tile,
                                               uint32_t offset, int j) {
#pragma unroll
  for (int i = 0; i < count; ++i) {
    const unsigned char* row = tile + Tile::moved(offset, i, j);
    if constexpr (major == Major::k)
      ldmatrix_x4(fragments[i], row);
    else
      ldmatrix_x4_transposed(fragments[i], row);
  }
}

/// Block (x, y, z): tile of C, item of the batch, part of k.
template <class Shape, Major a_major, Major b_major, bool chunked>
__global__ void __launch_bounds__(Shape::threads, Shape::blocks) gemm_mma(MmaArguments g) {
  dependent_launch_begin();
  using ATile = OperandTile<a_major, Shape::block_m, Shape::threads>;
  using BTile = OperandTile<b_major, Shape::block_n, Shape::threads>;
  constexpr int a_count = Shape::warp_m / 16, b_count = Shape::warp_n / 16, steps = kStep / kFragmentK;
  unsigned char* const shared = shared_memory<unsigned char>();
  const Place place = tile_place(static_cast<int>(blockIdx.x), (g.m + Shape::block_m - 1) / Shape::block_m,
                                 (g.n + Shape::block_n - 1) / Shape::block_n);
  const int row0 = place.row * Shape::block_m, col0 = place.col * Shape::block_n;
  const int k0 = static_cast<int>(blockIdx.z) * g.k_part, k_size = g.k - k0 < g.k_part ? g.k - k0 : g.k_part;
  g.a.data += blockIdx.y * g.a.batch_step, g.b.data += blockIdx.y * g.b.batch_step;

  TileCopy<ATile, a_major, chunked> a_copy(g.a, row0, g.m - row0, k0);
  TileCopy<BTile, b_major, chunked> b_copy(g.b, col0, g.n - col0, k0);
  int copied = 0;  // of k: what has been asked for
  const auto copy_stage = [&](unsigned char* stage) {
    if (copied < k_size) {
      a_copy.next(stage, k_size - copied);
      b_copy.next(stage + Shape::a_bytes, k_size - copied);
    }
    copied += kStep;
    cp_async_commit();  // a group for every step, also an empty one: waiting counts groups
  };
#pragma unroll
  for (int stage = 0; stage < Shape::stages - 1; ++stage) copy_stage(shared + stage * Shape::stage_bytes);

  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int warp_row = warp / Shape::warps_n * Shape::warp_m, warp_col = warp % Shape::warps_n * Shape::warp_n;
  const uint32_t a_offset = ATile::fragment_offset(Side::a, lane, warp_row);
  const uint32_t b_offset = BTile::fragment_offset(Side::b, lane, warp_col) + Shape::a_bytes;
  float sums[a_count][2 * b_count][4] = {};
  uint32_t a[2][a_count][4], b[2][b_count][4];

  cp_async_wait<Shape::stages - 2>();
  block_sync();
  if (k_size > 0) {
    load_fragments<ATile, a_major>(a[0], shared, a_offset, 0);
    load_fragments<BTile, b_major>(b[0], shared, b_offset, 0);
  }
  unsigned char* const end = shared + Shape::stages * Shape::stage_bytes;
  unsigned char *reading = shared, *writing = end - Shape::stage_bytes;
  for (int k = 0; k < k_size; k += kStep) {
#pragma unroll
    for (int j = 0; j < steps; ++j) {
      if (j == 0) {  // every warp has passed the barrier behind its last read of this stage
        copy_stage(writing);
        writing = reading;
      }
      if (j == steps - 1) {
        reading = reading + Shape::stage_bytes == end ? shared : reading + Shape::stage_bytes;
        cp_async_wait<Shape::stages - 2>();
        block_sync();
      }
      const int next = (j + 1) % 2, now = j % 2;
      if (j < steps - 1 || k + kStep < k_size) {
        load_fragments<ATile, a_major>(a[next], reading, a_offset, (j + 1) % steps);
        load_fragments<BTile, b_major>(b[next], reading, b_offset, (j + 1) % steps);
      }
#pragma unroll
      for (int m = 0; m < a_count; ++m)
#pragma unroll
        for (int n = 0; n < 2 * b_count; ++n) {
          const uint32_t(&pair)[2] = reinterpret_cast<const uint32_t(&)[2]>(b[now][n / 2][n % 2 * 2]);
          mma_m16n8k16(sums[m][n], a[now][m], pair, sums[m][n]);
        }
    }
  }

  cp_async_wait<0>();
  block_sync();  // all stages have been read, and may hold the tile of sums
  g.epilogue.skip(blockIdx.y * g.c_batch_step + blockIdx.z * g.c_part_step);
  float* const tile = reinterpret_cast<float*>(shared);
#pragma unroll 1
  for (int first = 0; first < Shape::block_n; first += Shape::finish_n) {
    if (first > 0) block_sync();  // all have done with the columns before
    if (Shape::finish_n == Shape::block_n || warp_col / Shape::finish_n == first / Shape::finish_n) {
#pragma unroll
      for (int m = 0; m < a_count; ++m)
#pragma unroll
        for (int n = 0; n < 2 * b_count; ++n)
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const int row = warp_row + m * 16 + half * 8 + lane / 4, col = warp_col - first + n * 8 + lane % 4 * 2;
            *reinterpret_cast<float2*>(tile + row * Shape::pitch + col) =
                make_float2(sums[m][n][2 * half], sums[m][n][2 * half + 1]);
          }
    }
    block_sync();
    finish_tile<bf16, Shape::block_m, Shape::finish_n, Shape::pitch, Shape::threads>(g.epilogue, tile, row0,
                                                                                     col0 + first, place.row);
  }
}

}  // namespace videomae::cuda
