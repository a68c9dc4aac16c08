// Products of tiles (bf16_tiles.h) on the tile registers of AMX. One instruction adds to 16 x 16 floats the product of
// 16 x 32 and 32 x 16 bf16 numbers, sums kept in f32: sixteen times the rate of fused multiply-adds on AVX-512. Of f32
// operands in three parts six products of parts make one of f32, so that is 16 / 6 of its rate. Compiled for AMX only.
#pragma once

#include "cpu/amx.h"
#include "cpu/bf16_tiles.h"

namespace videomae {

template <int Parts>
struct AmxTileProduct {
  static_assert(Parts == 1 || Parts == 3);
  static constexpr int kParts = Parts;
  using Session = amx::Session;

  /// One product of parts over all k, for 1 or 2 by 1 or 2 tiles of the result in registers 0 to 3.
  template <int Rows, int Columns>
  VIDEOMAE_INLINE void pass(int64_t depth, const bf16* a, int64_t a_step, int64_t a_step_k, const bf16* b,
                            int64_t b_step, int64_t b_step_k) {
    for (int64_t k = 0; k < depth; ++k, a += a_step_k, b += b_step_k) {
      _tile_loadd(4, a, 64);
      _tile_loadd(6, b, 64);
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (Columns == 2) {
        _tile_loadd(7, b + b_step, 64);
        _tile_dpbf16ps(1, 4, 7);
      }
      if constexpr (Rows == 2) {
        _tile_loadd(5, a + a_step, 64);
        _tile_dpbf16ps(2, 5, 6);
        if constexpr (Columns == 2) _tile_dpbf16ps(3, 5, 7);
      }
    }
  }

  template <int Rows, int Columns, class Beside>
  VIDEOMAE_INLINE void square(int64_t depth, const TileOperand& left, int64_t i, const TileOperand& right, int64_t j,
                              const TileResult& result, bool add, Beside& beside) {
    const bf16 *a = left.data + i * left.step, *b = right.data + j * right.step;
    float* c = result.data + i * result.step_rows + j * result.step_columns;
    float *c1 = c + result.step_columns, *c2 = c + result.step_rows, *c3 = c2 + result.step_columns;
    const int64_t stride = result.row * 4;
    if (add) {
      _tile_loadd(0, c, stride);
      if constexpr (Columns == 2) _tile_loadd(1, c1, stride);
      if constexpr (Rows == 2) _tile_loadd(2, c2, stride);
      if constexpr (Rows == 2 && Columns == 2) _tile_loadd(3, c3, stride);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    auto parts = [&](int p, int q) __attribute__((always_inline)) {
      pass<Rows, Columns>(depth, a + p * kTileElements, left.step, left.step_k, b + q * kTileElements, right.step,
                          right.step_k);
      beside();
    };
    if constexpr (Parts == 3) parts(0, 2), parts(2, 0), parts(1, 1), parts(0, 1), parts(1, 0);
    parts(0, 0);
    _tile_stored(0, c, stride);
    if constexpr (Columns == 2) _tile_stored(1, c1, stride);
    if constexpr (Rows == 2) _tile_stored(2, c2, stride);
    if constexpr (Rows == 2 && Columns == 2) _tile_stored(3, c3, stride);
  }

  /// Calls of `beside` in one run.
  static constexpr int64_t calls(int64_t rows, int64_t columns) {
    return (rows + 1) / 2 * ((columns + 1) / 2) * (Parts == 3 ? 6 : 1);
  }

  /// result = left right, or result += it: rows x columns tiles, summed over `depth` tiles of 32. beside() is called
  /// each time that products have been asked for: vector work that it does runs while they are under way.
  template <class Beside>
  static void run(int64_t rows, int64_t columns, int64_t depth, const TileOperand& left, const TileOperand& right,
                  const TileResult& result, bool add, Beside beside) {
    __asm__ volatile("" ::: "memory");  // GCC does not know that tile loads read what was stored before
    int64_t i = 0;
    for (; i + 2 <= rows; i += 2) {
      int64_t j = 0;
      for (; j + 2 <= columns; j += 2) square<2, 2>(depth, left, i, right, j, result, add, beside);
      if (j < columns) square<2, 1>(depth, left, i, right, j, result, add, beside);
    }
    if (i == rows) return;
    int64_t j = 0;
    for (; j + 2 <= columns; j += 2) square<1, 2>(depth, left, i, right, j, result, add, beside);
    if (j < columns) square<1, 1>(depth, left, i, right, j, result, add, beside);
  }

  static void run(int64_t rows, int64_t columns, int64_t depth, const TileOperand& left, const TileOperand& right,
                  const TileResult& result, bool add) {
    run(rows, columns, depth, left, right, result, add, [] {});
  }
};

}  // namespace videomae
