// Rows of one attention head as they lie in shared memory: a row is `chunks` chunks of 8 bf16 (16 bytes), and chunks
// are permuted within a row so that ldmatrix, which reads the same chunk of 8 rows at a time, and the stores of mma
// fragments, which write it, meet every bank once. The number of chunks decides how much permuting that takes: rows of
// 11 chunks need none.
#pragma once

#include "cuda/device/host_device.h"

namespace videomae::cuda {

template <int chunks_of_row>
struct RowTile {
  static constexpr int chunks = chunks_of_row;
  static constexpr int columns = 8 * chunks;
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

}  // namespace videomae::cuda
