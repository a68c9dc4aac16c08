// Packing of f32 operands for tdpbf16ps: each number is split into three parts of 8 bits, x = high + middle + low
// exactly, each a bf16 number. The parts of a panel lie one after another for every 32 k, each as gemm_pairs.h has it:
// by pair, or by line. Zero beyond the last line and beyond k. What is below 2^-126, the least normal number, is lost,
// and from 3.39e38 on a number is taken for infinite.
#pragma once

#include "cpu/gemm_kernel.h"
#include "cpu/vectors.h"

namespace videomae {

template <class Isa>
struct SplitPacking {
  using V = Vectors<Isa, float>;
  using Vec = typename V::Vec;
  static constexpr int64_t kSquare = 16, kDepth = 2 * kSquare;
  static constexpr int64_t kAhead = 4;  // squares: what will be packed next is asked for so early
  static_assert(V::lanes == kSquare, "a vector holds the words of a square's row");

  /// Panels of `width` lines from `panels.begin` on: (depth / 32, parts, 16 pairs, width). `depth`: a multiple of 32.
  template <int64_t width>
  static void by_pair(const GemmOperand<float>& from, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    for_squares<kDepth>(from.lines_contiguous, panels, depth, [&](int64_t p, int64_t i) {
      uint32_t* words = static_cast<uint32_t*>(to) + ((p - panels.begin) * depth + i) / 2 * 3 * width;
      for (int64_t j = 0; j < width; j += kSquare) {
        Vec x[kDepth];  // of each k, all lines
        load(from, p * width + j, k0 + i, true, x);
        for (int64_t r = 0; r < kSquare; ++r) {
          Vec even[3], odd[3];
          split(x[2 * r], even), split(x[2 * r + 1], odd);
          for (int part = 0; part < 3; ++part)
            put(words + (part * kSquare + r) * width + j, (Vec)((Bits)even[part] >> 16 | (Bits)odd[part]));
        }
      }
    });
  }

  /// Panels of `width` lines: (depth / 32, parts, width, 16 pairs). `depth`: a multiple of 32.
  template <int64_t width>
  static void by_line(const GemmOperand<float>& from, PanelRange panels, int64_t k0, int64_t depth, void* to) {
    for_squares<kDepth>(from.lines_contiguous, panels, depth, [&](int64_t p, int64_t i) {
      uint32_t* words = static_cast<uint32_t*>(to) + ((p - panels.begin) * depth + i) / 2 * 3 * width;
      for (int64_t j = 0; j < width; j += kSquare) {
        Vec x[kDepth];  // of each line, the first 16 k; then the others
        load(from, p * width + j, k0 + i, false, x);
        for (int64_t r = 0; r < kSquare; ++r) {
          Vec first[3], second[3];
          split(x[r], first), split(x[kSquare + r], second);
          for (int part = 0; part < 3; ++part)
            put(words + (part * width + j + r) * kSquare, join(first[part], second[part]));
        }
      }
    });
  }

 private:
  typedef uint32_t Bits __attribute__((vector_size(64)));

  static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
  VIDEOMAE_INLINE void put(uint32_t* to, Vec words) { __builtin_memcpy(to, &words, sizeof words); }

  /// 16 lines from `line` on, 32 k from `k` on, as two squares: of the first 16 k and the others.
  VIDEOMAE_INLINE void load(const GemmOperand<float>& from, int64_t line, int64_t k, bool row_is_k, Vec* x) {
    const int64_t lines = from.lines - line, depth = from.k - k;
    const int64_t ahead = kAhead * kDepth * (from.lines_contiguous ? from.ld : 1);
    for (int64_t half = 0; half < 2; ++half, x += kSquare) {
      const int64_t k_half = k + half * kSquare;
      if (lines >= kSquare && depth >= kDepth) {
        const float* first = from.element(line, k_half);
#pragma GCC unroll 16
        for (int64_t r = 0; r < kSquare; ++r) {
          x[r] = V::load(first + r * from.ld);
          __builtin_prefetch(first + r * from.ld + ahead);
        }
      } else {
        for (int64_t r = 0; r < kSquare; ++r) x[r] = edge(from, line, k_half, r);
      }
      if (row_is_k != from.lines_contiguous) V::transpose_square(x);
    }
  }

  /// Row r of a square that may reach past the last line or the last k.
  static Vec edge(const GemmOperand<float>& from, int64_t line, int64_t k, int64_t r) {
    const int64_t row = from.lines_contiguous ? from.k - k : from.lines - line;
    const int64_t column = from.lines_contiguous ? from.lines - line : from.k - k;
    if (r >= row || column <= 0) return Vec{};
    return V::load(from.element(line, k) + r * from.ld, column);
  }

  /// x = parts[0] + parts[1] + parts[2], floats whose lower halves are zero: rounded, halves away from zero.
  VIDEOMAE_INLINE void split(Vec x, Vec* parts) {
    parts[0] = upper(x);
    x -= parts[0];
    parts[1] = upper(x);
    parts[2] = x - parts[1];  // 8 bits are left
  }
  VIDEOMAE_INLINE Vec upper(Vec x) { return (Vec)(((Bits)x + 0x8000u) & 0xFFFF0000u); }

  /// The upper halves of 32 floats in a row.
  VIDEOMAE_INLINE Vec join(Vec first, Vec second) {
    Vec words;
    asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(words) : "v"(first), "v"(second));
    return words;
  }
};

}  // namespace videomae
