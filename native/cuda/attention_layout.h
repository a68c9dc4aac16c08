// How attention in bf16 is cut into warps and blocks, and how its rows lie in shared memory. Plain constexpr C++: the
// one authority for the kernels, their launches and the tests.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/device/host_device.h"

namespace videomae::cuda {

/// Rows of one head in shared memory: `chunks` chunks of 8 bf16 (16 bytes). Chunks are permuted within a row so that
/// ldmatrix, which reads the same chunk of 8 rows at a time, and the stores of mma fragments, which write it, meet
/// every bank once. The number of chunks decides how much permuting that takes: rows of 11 chunks need none.
template <int chunks_of_row>
struct RowTile {
  static constexpr int chunks = chunks_of_row;
  static constexpr int row_bytes = 16 * chunks;
  /// Steps of 16 columns of the tensor core; with an odd number of chunks the last has only its first half.
  static constexpr int steps = (chunks + 1) / 2;
  static constexpr bool half_step = chunks % 2 != 0;

  /// Byte offset of a chunk.
  VIDEOMAE_HOST_DEVICE static constexpr int offset(int row, int chunk) {
    constexpr int places = chunks % 8 == 0 ? 8 : chunks % 4 == 0 ? 4 : chunks % 2 == 0 ? 2 : 1;
    return row * row_bytes + 16 * (chunk ^ (row / (8 / places) % places));
  }
};

/// Rows cut into blocks of equally many warps.
struct BlockCut {
  int warps;   ///< of a block
  int blocks;  ///< of a head
};

constexpr BlockCut cut_rows(int rows, int rows_of_warp, int most_warps) {
  const auto parts = [](int n, int size) { return (n + size - 1) / size; };
  const int warps = parts(rows, rows_of_warp), least = parts(warps, most_warps);
  const int warps_of_block = parts(warps, least);
  return {warps_of_block, parts(warps, warps_of_block)};
}

constexpr int kStepRows = 32;  // of K and V, or of Q and gradY, handled at a time

/// What shared memory a GPU has, in bytes.
struct SharedRoom {
  uint64_t block;           ///< that a block can have
  uint64_t multiprocessor;  ///< that its blocks share, of which each takes 1 KiB besides its own

  constexpr int blocks_of(size_t bytes) const {
    return bytes > block ? 0 : static_cast<int>(multiprocessor / (bytes + 1024));
  }
};

/// Rows of K and V, or of Q and gradY, in one of the two stages of a ring: 64, or 32 where more blocks are resident so.
/// Sums are the same with both.
template <class Tiling>
constexpr int ring_rows(int warps, SharedRoom room) {
  const auto resident = [&](int rows) {
    const int blocks = room.blocks_of(Tiling::shared_bytes(warps, rows));
    return blocks < Tiling::resident ? blocks : Tiling::resident;
  };
  return resident(32) > resident(64) ? 32 : 64;
}

// Tilings say how a kernel is cut so that its registers last. `blocks` are the blocks of 16 rows of a warp: with two,
// what passes by is read half as often from shared memory, and accumulators are twice as many. `warps` are those of a
// block, at most, and `resident` the blocks that a multiprocessor is to hold. `general` kernels take any alignment and
// width, and cosine attention; the others neither.

template <class Tile, bool general>
struct ForwardTiling {
  static constexpr int blocks = Tile::chunks == 8 && !general ? 2 : 1;
  static constexpr int warps = blocks == 2 ? 6 : general || Tile::chunks == 16 ? 4 : 8;
  static constexpr int resident = 2;

  /// The block's queries, two stages of K and V, two stages of 1 / norm of the keys.
  static constexpr size_t shared_bytes(int warps_of_block, int ring_rows) {
    return static_cast<size_t>(warps_of_block * 16 * blocks + 4 * ring_rows) * Tile::row_bytes +
           2 * ring_rows * sizeof(float);
  }
};

/// The kernels of backward for any number of tokens: that of queries, which computes dQ, and that of keys, which
/// computes dK and dV.
template <class Tile, bool keys, bool general>
struct BackwardTiling {
  static constexpr int blocks = Tile::chunks == 8 && !general ? 2 : 1;
  static constexpr int warps = 4;
  static constexpr int resident = keys || blocks == 2 || Tile::chunks == 16 ? 2 : 3;
  static constexpr int step_rows = keys && (blocks == 2 || Tile::chunks == 16) ? 16 : kStepRows;  // at a time

  /// Two tiles of the block's own rows, two stages of two tiles of the other side, and for each stage three numbers a
  /// row: lse, D and 1 / norm.
  static constexpr size_t shared_bytes(int warps_of_block, int ring_rows) {
    return static_cast<size_t>(2 * warps_of_block * 16 * blocks + 4 * ring_rows) * Tile::row_bytes +
           6 * ring_rows * sizeof(float);
  }
};

/// The kernel of backward that does a head in one block.
template <class Tile>
struct HeadTiling {
  static constexpr int blocks = Tile::chunks == 8 ? 2 : 1;
  static constexpr int warps = Tile::chunks == 11 ? 16 : 12;
  static constexpr int keys = Tile::chunks == 11 ? 16 : 32;       // at a time; 16 lets 208 x 88 fit into 163 KB
  static constexpr int step = Tile::chunks % 8 == 0 ? 16 : keys;  // of these, in a warp's registers

  /// P or dS of these keys: a row a query.
  using Weights = RowTile<keys / 8>;

  /// Rows of q, gradY, k and v in shared memory: whole steps of keys.
  VIDEOMAE_HOST_DEVICE static constexpr int tile_rows(int warps_of_block) {
    return (warps_of_block * 16 * blocks + keys - 1) / keys * keys;
  }
  /// These tiles, and P and dS.
  static constexpr size_t shared_bytes(int warps_of_block) {
    return static_cast<size_t>(tile_rows(warps_of_block)) * 4 * Tile::row_bytes +
           static_cast<size_t>(warps_of_block) * 16 * blocks * 2 * Weights::row_bytes;
  }
  /// Warps that a head takes, or 0: too many, or more shared memory than a block can have.
  static constexpr int warps_for(int tokens, uint64_t shared_optin) {
    const int needed = cut_rows(tokens, 16 * blocks, tokens).warps;
    return needed <= warps && shared_bytes(needed) <= shared_optin ? needed : 0;
  }
};

}  // namespace videomae::cuda
