// Packing of operands for instructions that multiply pairs of bf16 neighbours along k. A pair is a word of 32 bits:
// elements (2i, 2i + 1) of one line. Zero beyond the last line and beyond k.
//   by pair: pair i of line j at [i][j], panels of so many lines: both operands of vdpbf16ps, and B of tdpbf16ps
//   by line: pair i of line j at [j][i], tiles of 16 pairs: A of tdpbf16ps
// A square of 16 pairs of 16 lines is read in either direction, and transposed in registers where the other is wanted.
//
// An f32 operand is split into parts, each a bf16 number: x = high + middle + low exactly, of 8 bits each; parts lie
// one after another for every 32 k. What is below 2^-126, the least normal number, is lost, and a number of more than
// 3.39e38 becomes a NaN.
#pragma once

#include "cpu/gemm_kernel.h"
#include "cpu/vectors.h"

namespace videomae {

template <class Isa, class T>
struct PairPacking {
  using V = Vectors<Isa, float>;
  using Vec = typename V::Vec;  // 16 words, or the floats that they are made of
  using Mask = typename V::Mask;
  static constexpr int kParts = sizeof(T) == sizeof(float) ? 3 : 1;
  static constexpr int64_t kSquare = 16;
  static_assert(V::lanes == kSquare, "a vector holds the words of a square's row");

  /// Panels of `width` lines from `panels.begin` on, `step` words for each i. `depth`: padded, even; with more than one
  /// part a multiple of 32.
  template <int64_t width, int64_t step>
  static void by_pair(const GemmOperand<T>& from, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    static_assert(step % kSquare == 0, "whole vectors");
    auto* words = static_cast<uint32_t*>(to);
    for (int64_t p = panels.begin; p < panels.end; ++p)
      for (int64_t i = 0; i < depth; i += 2 * kSquare) {
        const int64_t count = smaller(kSquare, (depth - i) / 2);
        for (int64_t j = 0; j < step; j += kSquare) {
          Vec rows[kParts][kSquare];
          load_square(from, p * width + j, k0 + i, true, rows);
          for (int part = 0; part < kParts; ++part)
            for (int64_t r = 0; r < count; ++r) put(words + (part * kSquare + r) * step + j, rows[part][r]);
        }
        words += kParts * count * step;
      }
  }

  /// Panels of `width` lines in tiles of 16 pairs: tile t of a panel is (parts, width, 16). `depth`: a multiple of 32.
  template <int64_t width>
  static void by_line(const GemmOperand<T>& from, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    auto* words = static_cast<uint32_t*>(to);
    for (int64_t p = panels.begin; p < panels.end; ++p)
      for (int64_t i = 0; i < depth; i += 2 * kSquare, words += kParts * width * kSquare)
        for (int64_t j = 0; j < width; j += kSquare) {
          Vec rows[kParts][kSquare];
          load_square(from, p * width + j, k0 + i, false, rows);
          for (int part = 0; part < kParts; ++part)
#pragma GCC unroll 16
            for (int64_t r = 0; r < kSquare; ++r) put(words + (part * width + j + r) * kSquare, rows[part][r]);
        }
  }

 private:
  using Square = Vec[kParts][kSquare];

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
  VIDEOMAE_INLINE void put(uint32_t* to, Vec words) { __builtin_memcpy(to, &words, sizeof words); }

  /// The pairs of 16 lines from `line` on and 32 k from `k` on; a row of the result is a pair of all lines, or a line.
  VIDEOMAE_INLINE void load_square(const GemmOperand<T>& from, int64_t line, int64_t k, bool row_is_pair,
                                   Square& rows) {
    const int64_t lines = from.lines - line, depth = from.k - k;
    if (lines >= kSquare && depth >= 2 * kSquare) {
      const T* first = from.element(line, k);
#pragma GCC unroll 16
      for (int64_t r = 0; r < kSquare; ++r)
        from.lines_contiguous ? across(first + 2 * r * from.ld, first + (2 * r + 1) * from.ld, r, rows)
                              : along(first + r * from.ld, r, rows);
    } else {
      for (int64_t r = 0; r < kSquare; ++r) edge(from, line, k, r, lines, depth, rows);
    }
    if (row_is_pair != from.lines_contiguous)
      for (Vec* part : rows) V::transpose_square(part);
  }

  /// Row r of a square out of two rows of memory: (x0, y0), (x1, y1), ...
  VIDEOMAE_INLINE void across(const bf16* x, const bf16* y, int64_t r, Square& rows) {
    const Vec even = V::load(x), odd = V::load(y);
    rows[0][r] = words(even, odd);
  }
  VIDEOMAE_INLINE void across(const float* x, const float* y, int64_t r, Square& rows) {
    Vec even[3], odd[3];
    split(V::load(x), even), split(V::load(y), odd);
    for (int part = 0; part < kParts; ++part) rows[part][r] = words(even[part], odd[part]);
  }

  /// Row r of a square out of 32 neighbours: (x0, x1), (x2, x3), ...
  VIDEOMAE_INLINE void along(const bf16* x, int64_t r, Square& rows) { __builtin_memcpy(&rows[0][r], x, sizeof(Vec)); }
  VIDEOMAE_INLINE void along(const float* x, int64_t r, Square& rows) {
    const Vec first = V::load(x), second = V::load(x + kSquare);
    const Mask evens = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30}, odds = evens + 1;
    Vec even[3], odd[3];
    split(__builtin_shuffle(first, second, evens), even), split(__builtin_shuffle(first, second, odds), odd);
    for (int part = 0; part < kParts; ++part) rows[part][r] = words(even[part], odd[part]);
  }

  /// Pairs of floats whose lower halves are zero.
  VIDEOMAE_INLINE Vec words(Vec even, Vec odd) {
    typedef uint32_t Bits __attribute__((vector_size(64)));
    return (Vec)((Bits)even >> 16 | (Bits)odd);
  }

  /// x = parts[0] + parts[1] + parts[2], each of 8 bits: rounded, halves away from zero.
  VIDEOMAE_INLINE void split(Vec x, Vec* parts) {
    parts[0] = upper(x);
    x -= parts[0];
    parts[1] = upper(x);
    parts[2] = x - parts[1];  // 8 bits are left
  }
  VIDEOMAE_INLINE Vec upper(Vec x) {
    typedef uint32_t Bits __attribute__((vector_size(64)));
    return (Vec)(((Bits)x + 0x8000u) & 0xFFFF0000u);
  }

  /// Row r of a square that reaches past the last line or the last k.
  static void edge(const GemmOperand<T>& from, int64_t line, int64_t k, int64_t r, int64_t lines, int64_t depth,
                   Square& rows) {
    T held[2 * kSquare] = {};
    if (from.lines_contiguous) {
      for (int64_t odd = 0; odd < 2 && 2 * r + odd < depth; ++odd)
        for (int64_t j = 0; j < smaller(lines, kSquare); ++j)
          held[odd * kSquare + j] = *from.element(line + j, k + 2 * r + odd);
      across(held, held + kSquare, r, rows);
    } else {
      for (int64_t i = 0; r < lines && i < smaller(depth, 2 * kSquare); ++i) held[i] = *from.element(line + r, k + i);
      along(held, r, rows);
    }
  }
};

}  // namespace videomae
