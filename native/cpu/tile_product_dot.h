// Products of tiles (bf16_tiles.h) by vdpbf16ps, for processors with avx512_bf16 and without AMX: a word of a left
// tile's row, two neighbours along k, is broadcast and multiplied with a row of a right tile. 8 rows by 2 tiles of the
// result stay in registers: 16 instructions for 10 loads. Where the instruction runs at the rate of a fused
// multiply-add, as on Zen 5, that is twice the arithmetic of f32.
#pragma once

#include "cpu/bf16_tiles.h"

namespace videomae {

struct DotTileProduct {
  static constexpr int kParts = 1;
  struct Session {};

  /// Calls of `beside` in one run.
  static constexpr int64_t calls(int64_t rows, int64_t columns) { return rows * ((columns + 1) / 2); }

  /// result = left right, or result += it: rows x columns tiles, summed over `depth` tiles of 32. beside() is called
  /// after every row of tiles.
  template <class Beside>
  static void run(int64_t rows, int64_t columns, int64_t depth, const TileOperand& left, const TileOperand& right,
                  const TileResult& result, bool add, Beside beside) {
    int64_t j = 0;
    for (; j + 2 <= columns; j += 2) down<2>(rows, depth, left, right, j, result, add, beside);
    if (j < columns) down<1>(rows, depth, left, right, j, result, add, beside);
  }

  static void run(int64_t rows, int64_t columns, int64_t depth, const TileOperand& left, const TileOperand& right,
                  const TileResult& result, bool add) {
    run(rows, columns, depth, left, right, result, add, [] {});
  }

 private:
  static constexpr int kRows = 8;  // of a block in registers: half a tile

  template <int Columns, class Beside>
  VIDEOMAE_INLINE void down(int64_t rows, int64_t depth, const TileOperand& left, const TileOperand& right, int64_t j,
                            const TileResult& result, bool add, Beside& beside) {
    for (int64_t i = 0; i < rows; ++i) {
      const bf16* a = left.data + i * left.step;
      float* c = result.data + i * result.step_rows + j * result.step_columns;
      for (int64_t half = 0; half < 2; ++half, a += kRows * 32, c += kRows * result.row)
        block<Columns>(depth, a, left.step_k, right.data + j * right.step, right.step, right.step_k, c, result, add);
      beside();
    }
  }

  template <int Columns>
  [[gnu::noinline]] static void block(int64_t depth, const bf16* a, int64_t a_step_k, const bf16* b, int64_t b_step,
                                      int64_t b_step_k, float* c, const TileResult& result, bool add) {
    const int64_t row = result.row, column = result.step_columns;
    __m512 sum[kRows][Columns];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < Columns; ++v)
        sum[r][v] = add ? _mm512_loadu_ps(c + r * row + v * column) : _mm512_setzero_ps();
    for (int64_t k = 0; k < depth; ++k, a += a_step_k, b += b_step_k) {
      const bf16* pairs = a;
      const bf16* across = b;
#pragma GCC unroll 4
      for (int64_t p = 0; p < 16; ++p, pairs += 2, across += 32) {
        __m512bh right[Columns];
#pragma GCC unroll 2
        for (int v = 0; v < Columns; ++v) right[v] = (__m512bh)_mm512_loadu_si512(across + v * b_step);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          int word;
          __builtin_memcpy(&word, pairs + 32 * r, sizeof word);
          const auto pair = (__m512bh)_mm512_set1_epi32(word);
#pragma GCC unroll 2
          for (int v = 0; v < Columns; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], pair, right[v]);
        }
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < Columns; ++v) _mm512_storeu_ps(c + r * row + v * column, sum[r][v]);
  }
};

}  // namespace videomae
