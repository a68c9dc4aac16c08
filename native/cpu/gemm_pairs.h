// Packing of bf16 operands for instructions that multiply pairs of neighbours along k. A pair is a word of 32 bits:
// elements (2i, 2i + 1) of one line. Zero beyond the last line and beyond k.
//   by pair: pair i of line j at [i][j], panels of so many lines: both operands of vdpbf16ps, and B of tdpbf16ps
//   by line: pair i of line j at [j][i], tiles of 16 pairs: A of tdpbf16ps
// A square of 16 pairs of 16 lines is read in either direction, and transposed in registers where the other is wanted.
#pragma once

#include "cpu/gemm_kernel.h"
#include "cpu/vectors.h"

namespace videomae {

template <class Isa>
struct PairPacking {
  using V = Vectors<Isa, float>;
  using Vec = typename V::Vec;  // 16 words
  static constexpr int64_t kSquare = 16;
  static constexpr int64_t kAhead = 2;  // squares: what will be packed next is asked for so early
  static_assert(V::lanes == kSquare, "a vector holds the words of a square's row");

  /// Panels of `width` lines from `panels.begin` on, `step` words for each i. `depth`: padded, even.
  template <int64_t width, int64_t step>
  static void by_pair(const GemmOperand<bf16>& from, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    static_assert(step % kSquare == 0, "whole vectors");
    for_squares<2 * kSquare>(from.lines_contiguous, panels, depth, [&](int64_t p, int64_t i) {
      uint32_t* words = static_cast<uint32_t*>(to) + ((p - panels.begin) * depth + i) / 2 * step;
      const int64_t count = smaller(kSquare, (depth - i) / 2);
      for (int64_t j = 0; j < step; j += kSquare) {
        Vec rows[kSquare];
        load_square(from, p * width + j, k0 + i, true, rows);
        for (int64_t r = 0; r < count; ++r) put(words + r * step + j, rows[r]);
      }
    });
  }

  /// Panels of `width` lines in tiles of 16 pairs: tile t of a panel is (width, 16). `depth`: a multiple of 32.
  template <int64_t width>
  static void by_line(const GemmOperand<bf16>& from, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    for_squares<2 * kSquare>(from.lines_contiguous, panels, depth, [&](int64_t p, int64_t i) {
      uint32_t* words = static_cast<uint32_t*>(to) + ((p - panels.begin) * depth + i) / 2 * width;
      for (int64_t j = 0; j < width; j += kSquare, words += kSquare * kSquare) {
        Vec rows[kSquare];
        load_square(from, p * width + j, k0 + i, false, rows);
#pragma GCC unroll 16
        for (int64_t r = 0; r < kSquare; ++r) put(words + r * kSquare, rows[r]);
      }
    });
  }

 private:
  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
  VIDEOMAE_INLINE void put(uint32_t* to, Vec words) { __builtin_memcpy(to, &words, sizeof words); }

  /// The pairs of 16 lines from `line` on and 32 k from `k` on; a row of the result is a pair of all lines, or a line.
  VIDEOMAE_INLINE void load_square(const GemmOperand<bf16>& from, int64_t line, int64_t k, bool row_is_pair,
                                   Vec* rows) {
    const int64_t lines = from.lines - line, depth = from.k - k;
    if (lines >= kSquare && depth >= 2 * kSquare) {
      const bf16 *first = from.element(line, k),
                 *later = first + kAhead * 2 * kSquare * (from.lines_contiguous ? from.ld : 1);
      if (from.lines_contiguous) {
#pragma GCC unroll 16
        for (int64_t r = 0; r < kSquare; ++r) {
          rows[r] = across(first + 2 * r * from.ld, first + (2 * r + 1) * from.ld);
          // Rows of a matrix share few sets of the first-level cache: into the second.
          __builtin_prefetch(later + 2 * r * from.ld, 0, 2), __builtin_prefetch(later + (2 * r + 1) * from.ld, 0, 2);
        }
      } else {
#pragma GCC unroll 16
        for (int64_t r = 0; r < kSquare; ++r) {
          rows[r] = along(first + r * from.ld);
          __builtin_prefetch(later + r * from.ld);
        }
      }
    } else {
      for (int64_t r = 0; r < kSquare; ++r) rows[r] = edge(from, line, k, r, lines, depth);
    }
    if (row_is_pair != from.lines_contiguous) V::transpose_square(rows);
  }

  /// Two rows of memory as pairs: (x0, y0), (x1, y1), ...
  VIDEOMAE_INLINE Vec across(const bf16* x, const bf16* y) {
    typedef uint32_t Bits __attribute__((vector_size(Isa::vector_bytes)));
    return (Vec)((Bits)V::load(x) >> 16 | (Bits)V::load(y));
  }

  /// 32 neighbours as pairs: (x0, x1), (x2, x3), ...
  VIDEOMAE_INLINE Vec along(const bf16* x) {
    Vec words;
    __builtin_memcpy(&words, x, sizeof words);
    return words;
  }

  /// Row r of a square that reaches past the last line or the last k.
  static Vec edge(const GemmOperand<bf16>& from, int64_t line, int64_t k, int64_t r, int64_t lines, int64_t depth) {
    bf16 held[2 * kSquare] = {};
    if (from.lines_contiguous) {
      for (int64_t odd = 0; odd < 2 && 2 * r + odd < depth; ++odd)
        for (int64_t j = 0; j < smaller(lines, kSquare); ++j)
          held[odd * kSquare + j] = *from.element(line + j, k + 2 * r + odd);
      return across(held, held + kSquare);
    }
    for (int64_t i = 0; r < lines && i < smaller(depth, 2 * kSquare); ++i) held[i] = *from.element(line + r, k + i);
    return along(held);
  }
};

}  // namespace videomae
