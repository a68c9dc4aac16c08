// The tiles of a bf16 product by wgmma: how the two consumer warpgroups share C, and where the ring of operands lies in
// shared memory. Plain constexpr C++, read by the kernel, its launch and tests.
//
// A stage holds 64 of k of both operands, as boxes of the copy engine leave them under a 128-byte swizzle (WgmmaTile).
// Behind the ring each consumer warp has 16 x 64 f32 in which the sums of its rows turn from fragments into rows.
#pragma once

#include "cuda/device/wgmma_layout.h"

namespace videomae::cuda {

/// @tparam in_turns  each warpgroup has a tile of its own, and one finishes its tile while the other multiplies; else
///                   both share a tile, 64 rows each
template <int block_n_, bool in_turns_, int stages_>
struct WgmmaShape {
  static constexpr int block_m = 128, block_n = block_n_, step = 64;  ///< step: of k, one stage
  static constexpr bool in_turns = in_turns_;
  static constexpr int stages = stages_;
  static constexpr int consumers = 2, threads = (1 + consumers) * kWarpgroup;
  static constexpr int row_groups = in_turns ? 2 : 1;                            ///< of 64 rows that a warpgroup holds
  static constexpr int releases = (in_turns ? 1 : consumers) * kWarpgroup / 32;  ///< warps that read a stage

  static constexpr int a_bytes = block_m * step * 2, b_bytes = block_n * step * 2, stage_bytes = a_bytes + b_bytes;
  static constexpr int strip_rows = 16, strip_cols = 64;  ///< what a warp turns at once
  static constexpr int strip_floats = strip_rows * strip_cols;
  static constexpr int strips_at = stages * stage_bytes;
  static constexpr int barriers_at = strips_at + consumers * kWarpgroup / 32 * strip_floats * 4;
  static constexpr int shared_bytes = barriers_at + 2 * stages * 8;
  static_assert(block_n % strip_cols == 0 && shared_bytes <= 227 * 1024, "fits a multiprocessor");

  /// Operands of a stage: mn x 64.
  VIDEOMAE_HOST_DEVICE static constexpr WgmmaTile operand(Major major, int mn) {
    return {major, Swizzle::b128, static_cast<uint32_t>(mn), step};
  }
  /// The copy engine's boxes of an operand: a span of the contiguous index wide, and the whole other index.
  VIDEOMAE_HOST_DEVICE static constexpr int box_width() { return 64; }
  VIDEOMAE_HOST_DEVICE static constexpr int box_height(Major major, int mn) { return major == Major::k ? mn : step; }
  VIDEOMAE_HOST_DEVICE static constexpr int boxes(Major major, int mn) { return major == Major::k ? 1 : mn / 64; }

  /// The float of a warp's strip that holds (row, col): eights of columns are exchanged so that neither writing
  /// fragments nor reading rows meets a bank twice.
  VIDEOMAE_HOST_DEVICE static constexpr uint32_t strip_place(uint32_t row, uint32_t col) {
    return row * strip_cols + (col ^ row % 4 * 8);
  }
};

using Wgmma128x256 = WgmmaShape<256, false, 4>;  // the least traffic for each operation
using Wgmma128x192 = WgmmaShape<192, false, 4>;  // for widths that are no multiple of 256
using Wgmma128x128 = WgmmaShape<128, true, 6>;   // hides its epilogue; the most traffic

/// Part `part` of `parts` of k, in steps of 64: [first, until), never empty while there are as many steps as parts.
VIDEOMAE_HOST_DEVICE constexpr int first_step_of_part(int steps, int part, int parts) {
  return static_cast<int>(static_cast<int64_t>(steps) * part / parts);
}

}  // namespace videomae::cuda
