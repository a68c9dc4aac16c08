// The tiles of a tensor-core product: how blocks and warps share C, and where the operands' tiles lie in shared memory.
//
// Plain constexpr C++: kernels and tests read the same functions. A block computes block_m x block_n of C, stepping
// along k by 32; `stages` steps are in shared memory or on their way there. An operand whose contiguous index is k has
// rows of 64 bytes, another one rows of 128 (64 elements of m or n), both swizzled (WgmmaTile), so that neither the
// copies in nor ldmatrix meet a bank twice.
#pragma once

#include "cuda/device/wgmma_layout.h"

namespace videomae::cuda {

constexpr int kStep = 32;       // of k: one stage
constexpr int kFragmentK = 16;  // of mma.sync
constexpr int kChunk = 8;       // elements of 16 bytes, what one copy and one row of ldmatrix move

/// How a block is cut: warps side by side, each with warp_m x warp_n of C. `finish_n_` columns at a time, or all, are
/// finished by the epilogue.
template <int block_m_, int block_n_, int warp_m_, int warp_n_, int stages_, int blocks_, int finish_n_ = block_n_>
struct TileShape {
  static constexpr int block_m = block_m_, block_n = block_n_, warp_m = warp_m_, warp_n = warp_n_;
  static constexpr int stages = stages_;
  static constexpr int blocks = blocks_;  ///< that share a multiprocessor
  static constexpr int warps_n = block_n / warp_n;
  static constexpr int threads = block_m / warp_m * warps_n * 32;
  static constexpr int a_bytes = block_m * kStep * 2, b_bytes = block_n * kStep * 2;
  static constexpr int stage_bytes = a_bytes + b_bytes;
  static constexpr int finish_n = finish_n_;  ///< columns that the epilogue finishes at a time
  /// f32 rows of these in shared memory: 8 more than their width, so that fragments meet no bank twice.
  static constexpr int pitch = finish_n + 8;
  static constexpr int tile_bytes = block_m * pitch * 4;
  static constexpr int shared_bytes = stages * stage_bytes > tile_bytes ? stages* stage_bytes : tile_bytes;
};

using HugeTile = TileShape<128, 256, 64, 64, 5, 1>;  // the least traffic for each operation
using LargeTile = TileShape<128, 128, 64, 64, 4, 2>;
using CompactTile = TileShape<128, 128, 64, 64, 3, 2, 64>;  // the same sums in less shared memory
using SmallTile = TileShape<64, 64, 32, 32, 4, 4>;          // few rows or columns

/// Where tile number `tile` of a matrix of tiles_m x tiles_n tiles lies, in tiles. They go down C in bands of 8 tiles,
/// so that blocks that run together share rows of A and columns of B in the second-level cache.
VIDEOMAE_HOST_DEVICE constexpr Place tile_place(int tile, int tiles_m, int tiles_n) {
  constexpr int band = 8;
  const int first = tile / (band * tiles_n) * band;
  const int height = tiles_m - first < band ? tiles_m - first : band, within = tile - first * tiles_n;
  return {first + within % height, within / height};
}

/// Which operand: the 8 x 8 matrices of a fragment are numbered differently.
enum class Side { a, b };

/// An operand's tile in shared memory: mn x kStep elements, mn being rows of A or columns of B.
template <Major major, int mn, int threads>
struct OperandTile {
  static constexpr Swizzle swizzle = major == Major::k ? Swizzle::b64 : Swizzle::b128;
  VIDEOMAE_HOST_DEVICE static constexpr WgmmaTile layout() { return {major, swizzle, mn, kStep}; }

  // ---- copies from global memory, a chunk of 8 elements a thread ----

  static constexpr int chunks = (major == Major::k ? kStep : mn) / kChunk;  ///< of a row
  static constexpr int rows = threads / chunks;                             ///< that all threads copy at once
  static constexpr int passes = (major == Major::k ? mn : kStep) / rows;
  static_assert(rows % 8 == 0, "a pass is a whole number of swizzle periods");

  VIDEOMAE_HOST_DEVICE static constexpr int row(int thread) { return thread / chunks; }
  VIDEOMAE_HOST_DEVICE static constexpr int inner(int thread) { return thread % chunks * kChunk; }

  /// Byte offset of a thread's chunk in pass 0.
  VIDEOMAE_HOST_DEVICE static constexpr uint32_t copy_offset(int thread) {
    return major == Major::k ? layout().offset(row(thread), inner(thread))
                             : layout().offset(inner(thread), row(thread));
  }
  /// Bytes from pass to pass.
  static constexpr uint32_t pass_bytes = rows * swizzle_span(swizzle);

  // ---- fragments: 16 of mn by 16 of k, one ldmatrix of four matrices ----

  /// Byte offset of the row whose address `lane` gives, of the fragment at `first` of mn and 0 of k. Lanes 8 i to 8 i +
  /// 7 give matrix i: for A the second matrix is 8 further along m and the third along k; for B the other way round.
  VIDEOMAE_HOST_DEVICE static constexpr uint32_t fragment_offset(Side side, int lane, int first) {
    const int second = lane / 8 % 2 * 8, third = lane / 16 * 8;
    const int along_mn = side == Side::a ? second : third, along_k = side == Side::a ? third : second;
    // A row of the matrix runs along the contiguous index; lanes count the other one.
    return major == Major::k ? layout().offset(first + along_mn + lane % 8, along_k)
                             : layout().offset(first + along_mn, along_k + lane % 8);
  }
  /// The same row of the fragment `i` x 16 further along mn (i < 4) and `j` x 16 along k, from that of i = j = 0.
  /// Chunks lie where the swizzle puts them, so one of the two indices flips bits; the other adds a constant.
  VIDEOMAE_HOST_DEVICE static constexpr uint32_t moved(uint32_t offset, int i, int j) {
    return major == Major::k ? (offset ^ (j * 32u)) + i * 16 * swizzle_span(swizzle)
                             : (offset ^ (i * 32u)) + j * 16 * swizzle_span(swizzle);
  }
};

}  // namespace videomae::cuda
