// Packing of bf16 operands for instructions that multiply pairs of neighbours along k. A pair is 32 bits: elements
// (2i, 2i + 1) of one line. Zero beyond the last line and beyond k.
//   by pair: pair i of line j at [i][j], panels of so many lines: both operands of vdpbf16ps, and B of tdpbf16ps
//   by line: pair i of line j at [j][i], tiles of 16 pairs: A of tdpbf16ps
// A square of 16 pairs of 16 lines is read in either direction, and transposed in registers where the other is wanted.
#pragma once

#include "cpu/gemm_kernel.h"
#include "cpu/vectors.h"

namespace videomae {

template <class Isa>
struct PairPacking {
  using V = Vectors<Isa, float>;  // moves the bits of pairs
  using Vec = typename V::Vec;
  static constexpr int64_t kSquare = 16;
  static_assert(V::lanes == kSquare, "a vector holds the pairs of a square's row");

  /// Panels of `width` lines; panel p at to + (p - panels.begin) * step * depth / 2 pairs, `step` pairs for each i.
  /// `depth`: padded, even.
  template <int64_t width, int64_t step>
  static void by_pair(const GemmOperand<bf16>& from, PanelRange panels, int64_t k0, int64_t depth, uint32_t* to) {
    static_assert(step % kSquare == 0, "whole vectors");
    for (int64_t p = panels.begin; p < panels.end; ++p, to += step * depth / 2)
      for (int64_t i = 0; i < depth; i += 2 * kSquare)
        for (int64_t j = 0; j < step; j += kSquare) {
          Vec rows[kSquare];
          const int64_t count = smaller(kSquare, (depth - i) / 2);
          load_square(from, p * width + j, k0 + i, true, rows);
          for (int64_t r = 0; r < count; ++r) V::store(reinterpret_cast<float*>(to + (i / 2 + r) * step + j), rows[r]);
        }
  }

  /// Panels of `width` lines in tiles of 16 pairs: tile t of a panel is (width, 16). `depth`: padded, a multiple of 32.
  template <int64_t width>
  static void by_line(const GemmOperand<bf16>& from, PanelRange panels, int64_t k0, int64_t depth, uint32_t* to) {
    for (int64_t p = panels.begin; p < panels.end; ++p)
      for (int64_t i = 0; i < depth; i += 2 * kSquare)
        for (int64_t j = 0; j < width; j += kSquare, to += kSquare * kSquare) {
          Vec rows[kSquare];
          load_square(from, p * width + j, k0 + i, false, rows);
#pragma GCC unroll 16
          for (int64_t r = 0; r < kSquare; ++r) V::store(reinterpret_cast<float*>(to + r * kSquare), rows[r]);
        }
  }

 private:
  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

  /// The pairs of 16 lines from `line` on and 32 k from `k` on; a row of the result is a pair of all lines, or a line.
  VIDEOMAE_INLINE void load_square(const GemmOperand<bf16>& from, int64_t line, int64_t k, bool row_is_pair,
                                   Vec* rows) {
    const int64_t lines = from.lines - line, depth = from.k - k;
    if (lines <= 0 || depth <= 0) {
      for (int64_t r = 0; r < kSquare; ++r) rows[r] = Vec{};
      return;
    }
    const bf16* first = from.element(line, k);
    if (lines >= kSquare && depth >= 2 * kSquare) {
#pragma GCC unroll 16
      for (int64_t r = 0; r < kSquare; ++r)
        rows[r] = from.lines_contiguous ? across(first + 2 * r * from.ld, first + (2 * r + 1) * from.ld)
                                        : V::load(reinterpret_cast<const float*>(first + r * from.ld));
    } else {
      for (int64_t r = 0; r < kSquare; ++r) rows[r] = edge(from, first, r, lines, depth);
    }
    if (row_is_pair != from.lines_contiguous) V::transpose_square(rows);
  }

  /// Two rows of a matrix whose lines are contiguous: (x0, y0), (x1, y1), ...
  VIDEOMAE_INLINE Vec across(const bf16* x, const bf16* y) {
    typename V::Halves low, high;
    __builtin_memcpy(&low, x, sizeof low);
    __builtin_memcpy(&high, y, sizeof high);
    return (Vec)(__builtin_convertvector(low, typename V::Mask) |
                 __builtin_convertvector(high, typename V::Mask) << 16);
  }

  /// Row r of a square that reaches past the last line or the last k.
  static Vec edge(const GemmOperand<bf16>& from, const bf16* first, int64_t r, int64_t lines, int64_t depth) {
    uint16_t halves[2 * kSquare] = {};
    if (from.lines_contiguous) {
      for (int64_t half = 0; half < 2 && 2 * r + half < depth; ++half)
        for (int64_t j = 0; j < smaller(lines, kSquare); ++j) halves[2 * j + half] = first[(2 * r + half) * from.ld + j].bits;
    } else if (r < lines) {
      for (int64_t i = 0; i < smaller(depth, 2 * kSquare); ++i) halves[i] = first[r * from.ld + i].bits;
    }
    Vec row;
    __builtin_memcpy(&row, halves, sizeof row);
    return row;
  }
};

}  // namespace videomae
