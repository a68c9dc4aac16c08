// How the backward pass of attention on wgmma is cut, and where everything lies in shared memory. Plain constexpr C++:
// the one authority for kernels and launches.
#pragma once

#include <cstddef>

#include "cuda/device/wgmma_layout.h"

namespace videomae::cuda {

/// A block of the kernel of queries, or of keys. A warpgroup has 64 rows of its own; rows of the other side pass by, 64
/// at a time, in a ring. Both lie as boxes of the copy engine do, rows of a head beyond the last token and columns
/// beyond its width being zero.
/// @tparam head_width  columns of the gradients: 64, 80 or 88; heads may be narrower
/// @tparam of_keys  whether the block's own rows are keys and values, and not queries
template <int head_width, bool of_keys>
struct WgmmaBackwardTiling {
  static constexpr int width = head_width, steps = (width + 15) / 16;
  static constexpr bool keys = of_keys;
  static constexpr int rows = 64, warpgroups = 2, block_rows = rows * warpgroups;
  static constexpr int threads = kWarpgroup * (warpgroups + 1);  // the last warpgroup loads

  /// Columns in shared memory: whole spans of the swizzle.
  static constexpr int columns = width == 64 ? 64 : 96;
  static constexpr Swizzle swizzle = width == 64 ? Swizzle::b128 : Swizzle::b64;
  static constexpr int box_columns = swizzle_span(swizzle) / 2, boxes = columns / box_columns;

  /// 64 rows as an operand whose products are sums over columns, and over rows.
  VIDEOMAE_HOST_DEVICE static constexpr WgmmaTile by_rows() { return {Major::k, swizzle, rows, columns}; }
  VIDEOMAE_HOST_DEVICE static constexpr WgmmaTile by_columns() { return {Major::mn, swizzle, columns, rows}; }
  static constexpr int tile_bytes = 2 * rows * columns, box_bytes = tile_bytes / boxes;

  /// Whether own rows are left operands from registers, which spares shared memory half of the reading: q or k, and
  /// gradY or v. Two wide gradients leave no room for that.
  static constexpr bool qk_in_registers = !keys || width <= 80, other_in_registers = !keys || width == 64;

  /// Own rows: q, gradY and y, or k and v; of every warpgroup, and of two pieces of work, this one and the next.
  static constexpr int own_tiles = keys ? 2 : 3, own_stages = 2;
  static constexpr int own_bytes = own_tiles * warpgroups * tile_bytes;

  /// What passes by: k and v, or q and gradY.
  static constexpr int stages = !keys && width > 64 ? 3 : 4;
  static constexpr int ring = own_stages * own_bytes, stage_bytes = 2 * tile_bytes;

  /// Numbers in f32 besides: lse of the block's own queries, (own_stages, block_rows), or lse and D of those that pass
  /// by, (stages, 2, rows).
  static constexpr int terms = ring + stages * stage_bytes;
  static constexpr int terms_of_stage = 4 * (keys ? 2 * rows : block_rows);

  /// Barriers of 8 bytes: own rows full and empty, stages full and empty.
  static constexpr int barriers = terms + (keys ? stages : own_stages) * terms_of_stage;
  static constexpr size_t shared_bytes = barriers + 8 * 2 * (own_stages + stages);
};

}  // namespace videomae::cuda
