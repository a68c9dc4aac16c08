// How attention of few tokens is cut where a block does whole heads, one after the other, and loads the next while it
// works on this one. Plain constexpr C++, as attention_layout.h.
//
// Tiles of heads (16 rows a warp, all of a head) lie in a ring of slots. Those of the head at hand have to fit; what
// room is left holds tiles of the next, on their way from the moment the slot is free. So a GPU with much shared memory
// keeps two heads a block, one with little less, and all run the same code.
#pragma once

#include <algorithm>

#include "cuda/attention_layout.h"

namespace videomae::cuda {

/// How many tiles are in shared memory.
struct HeadRing {
  int slots;     ///< of a block; 0 where the tiles of one head do not fit
  int resident;  ///< blocks of a multiprocessor
  size_t shared_bytes;
};

/// @param parts  tiles of a head; the most that are kept are those of two
/// @param other_bytes  what a block needs besides its tiles
/// @param most_resident  blocks for whose warps there are registers
constexpr HeadRing head_ring(int parts, size_t tile_bytes, size_t other_bytes, int most_resident, SharedRoom room) {
  for (int resident = most_resident; resident > 0; --resident) {
    const uint64_t bytes = std::min<uint64_t>(room.block, room.multiprocessor / resident - 1024);
    if (bytes < parts * tile_bytes + other_bytes) continue;
    const int slots = static_cast<int>(std::min<uint64_t>(2 * parts, (bytes - other_bytes) / tile_bytes));
    return {slots, resident, slots * tile_bytes + other_bytes};
  }
  return {0, 0, 0};
}

/// Tilings of kernels that do whole heads. A warp has 32 rows of a head; `warps` are those that a multiprocessor has
/// registers for, and the most of a block. Tiles have a multiple of `row_step` rows.
template <class Tile, int row_step, int warps_, int parts_, int numbers>
struct WholeHeadTiling {
  static constexpr int blocks = 2;  // of 16 rows of a warp
  static constexpr int warps = warps_;
  static constexpr int parts = parts_;  // tiles of a head

  VIDEOMAE_HOST_DEVICE static constexpr int rows_for(int tokens) {
    return (tokens + row_step - 1) / row_step * row_step;
  }
  static constexpr int warps_for(int tokens) { return (tokens + 16 * blocks - 1) / (16 * blocks); }
  /// No slots for too many tokens, too.
  static constexpr HeadRing ring(int tokens, SharedRoom room) {
    const size_t rows = static_cast<size_t>(rows_for(tokens));
    return head_ring(parts, rows * Tile::row_bytes, rows * numbers * sizeof(float), warps / warps_for(tokens), room);
  }
};

/// Forward: q, k and v. The last warp may have 16 rows only.
template <class Tile>
struct ForwardHeadTiling : WholeHeadTiling<Tile, 16, Tile::chunks == 11 ? 8 : 12, 3, 0> {
  /// Whether a warp's queries stay in registers, or are read again for every 16 keys.
  static constexpr bool holds_queries = Tile::chunks == 11;
};

/// Backward: q, k, v, gradY and y, and two numbers a query, lse and D. A warp has 32 keys with their dK and dV in
/// registers, which width 88 has too many of, and queries pass by.
template <class Tile>
struct BackwardHeadTiling : WholeHeadTiling<Tile, 32, 8, 5, 2> {
  static constexpr int queries = 32;  // at a time
  /// dS^T of these queries: a row a key. Two of them take the place of y, which is needed for D alone.
  using Weights = RowTile<queries / 8>;
  static_assert(2 * Weights::row_bytes <= Tile::row_bytes);
};

}  // namespace videomae::cuda
