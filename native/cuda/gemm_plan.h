// How a product is cut: into how many parts of k, and which tile. Plain C++, so that tests and benchmarks can ask.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/gemm_tile.h"

namespace videomae::cuda {

/// Parts of k for an (m, n, k) product: a function of the shape only, so that workspace and bits are the same
/// everywhere.
///
/// Counted in tiles of 128 x 128, of which the reference GPU (132 multiprocessors) works on 264 at once, and in the
/// time that these take for 1 of k. One part more shortens every tile's way along k; it adds a tile of f32 to write and
/// to read, about 3, and the first of them a kernel, about 128. A tile begins and ends in about 64. Sums over more than
/// 8192 of k are cut in any case: the tensor cores truncate when they add, always towards zero.
constexpr int gemm_parts(int64_t m, int64_t n, int64_t k, int64_t batch) {
  constexpr int64_t at_once = 264, tile_start = 64, tile_traffic = 3, second_kernel = 128;
  constexpr int64_t shortest = 256, longest = 8192, limit = 64;
  const auto ceil_div = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  if (batch > 1) return 1;
  const int64_t tiles = std::max<int64_t>(1, ceil_div(m, 128) * ceil_div(n, 128));
  const int64_t least = std::max<int64_t>(1, ceil_div(k, longest));
  const int64_t most = std::max(least, std::min(k / shortest, limit));
  int64_t best = least, best_cost = INT64_MAX;
  for (int64_t parts = least; parts <= most; ++parts) {
    const int64_t ways = ceil_div(tiles * parts, at_once) * (ceil_div(k, parts) + tile_start);
    const int64_t cost = ways + (parts == 1 ? 0 : tiles * parts * tile_traffic + second_kernel);
    if (cost < best_cost) best = parts, best_cost = cost;
  }
  return static_cast<int>(best);
}

/// Length of one part, a multiple of kStep.
constexpr int64_t gemm_part_length(int64_t k, int parts) {
  return parts == 1 ? k : ((k + parts - 1) / parts + kStep - 1) / kStep * kStep;
}

/// Whether as many blocks as the tile is made for find room in a multiprocessor, 1 KiB besides their own for each.
template <class Shape>
constexpr bool fits_beside_itself(int64_t shared_per_sm) {
  return Shape::blocks * (Shape::shared_bytes + 1024) <= shared_per_sm;
}

enum class TileKind { huge, large, small };

/// The tile that ends first: each multiprocessor works through its share of the tiles, at the speed of their kind.
/// @param count  products of this shape: items of a batch times parts of k
constexpr TileKind choose_tile(int64_t m, int64_t n, int64_t count, int multiprocessors, int64_t shared_opt_in) {
  const auto time = [&](int64_t block_m, int64_t block_n, double speed) {
    const int64_t tiles = (m + block_m - 1) / block_m * ((n + block_n - 1) / block_n) * count;
    return static_cast<double>((tiles + multiprocessors - 1) / multiprocessors * block_m * block_n) / speed;
  };
  const double small = time(SmallTile::block_m, SmallTile::block_n, 0.5);
  const double large = time(LargeTile::block_m, LargeTile::block_n, 0.85);
  const double huge = time(HugeTile::block_m, HugeTile::block_n, 1);
  if (HugeTile::shared_bytes <= shared_opt_in && huge <= large && huge <= small) return TileKind::huge;
  return LargeTile::shared_bytes <= shared_opt_in && large <= small ? TileKind::large : TileKind::small;
}

}  // namespace videomae::cuda
