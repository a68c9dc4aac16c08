// What happens to a block of sums on its way to C: + what C holds, + bias, then GELU (keeping the value before it),
// + residual, + row of a table, times the derivative of GELU at a gate, rounded once to the type of C. A block is begun
// here and written row by row while the next one is multiplied: tile multiplications leave the vector units idle.
#pragma once

#include "cpu/gemm.h"
#include "cpu/math.h"

namespace videomae {

template <class Isa, class T, class C, class Format>
class Epilogue {
 public:
  using W = wide_t<T>;

  explicit Epilogue(const Gemm<T, C>& g)
      : g_(g), plain_(!g.preactivation && !g.gelu && !g.residual && !g.table && !g.gate) {}

  /// Takes on a block; the one before must be finished. sums: (Format::sums, Format::rows, Format::columns). The block
  /// after it lies `down` rows and `right` columns from it: what will be read and written there is asked for.
  void begin(int64_t row, int64_t height, int64_t column, int64_t width, const W* sums, int64_t down, int64_t right) {
    row_ = row, end_ = row + height, column_ = column, width_ = width, sums_ = sums, down_ = down, right_ = right;
  }

  void finish() {
    while (row_ < end_) write_row();
  }

  /// Names memory that will be read after the block that is multiplied now, for `advance`.
  void expect(const char* begin, int64_t bytes) { ahead_ = begin, ahead_end_ = begin + bytes; }

  /// Writes the next row of the block, if one is left, and asks for some of the expected memory.
  [[gnu::always_inline]] inline void advance() {
    if (row_ < end_) write_row();
    for (int line = 0; line < 4 && ahead_ < ahead_end_; ++line, ahead_ += 64) __builtin_prefetch(ahead_, 0, 2);
  }

 private:
  using V = Vectors<Isa, W>;
  using Vec = typename V::Vec;

  [[gnu::always_inline]] inline void write_row() {
    width_ == Format::columns ? write_row<true>() : write_row<false>();
    ++row_, sums_ += Format::columns;
  }

  /// A row of the block, its vectors side by side in registers from the sums to C: each stage is looked for once.
  template <bool Whole>
  [[gnu::always_inline]] inline void write_row() {
    constexpr int kVectors = Format::columns / V::lanes;
    const int64_t at = row_ * g_.ldc + column_, next = at + down_ * g_.ldc + right_;
    ask<1>(g_.c + next);
    C* c = g_.c + at;
    Vec x[kVectors];
    // stage(vector, its first column in the block, how many of its lanes are part of C, or more)
    const auto each = [&](auto&& stage) __attribute__((always_inline)) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) stage(x[v], v * V::lanes, Whole ? V::lanes : width_ - v * V::lanes);
    };
    each([&](Vec& y, int64_t j, int64_t) {
      y = V::load(sums_ + j);
      for (int part = 1; part < Format::sums; ++part) y += V::load(sums_ + part * Format::rows * Format::columns + j);
    });
    if (g_.accumulate) each([&](Vec& y, int64_t j, int64_t held) { y += V::load(c + j, held); });
    if (g_.bias) each([&](Vec& y, int64_t j, int64_t held) { y += V::load(g_.bias + column_ + j, held); });
    if (!plain_) {
      if (g_.preactivation) {
        ask<1>(g_.preactivation + next);
        each([&](Vec& y, int64_t j, int64_t held) { V::store(g_.preactivation + at + j, y, held); });
      }
      if (g_.gelu) each([&](Vec& y, int64_t, int64_t) { y = VectorMath<Isa, W>::gelu(y).value; });
      if (g_.residual) {
        const T* from = g_.residual + row_ * g_.residual_ld + column_;
        ask<0>(from + down_ * g_.residual_ld + right_);
        each([&](Vec& y, int64_t j, int64_t held) { y += V::load(from + j, held); });
      }
      if (g_.table) {
        const W* from = g_.table + g_.table_rows[row_] * g_.n + column_;
        each([&](Vec& y, int64_t j, int64_t held) { y += V::load(from + j, held); });
      }
      if (g_.gate) {
        ask<0>(g_.gate + next);
        if (g_.gate_gelu) ask<1>(g_.gate_gelu + next);
        each([&](Vec& y, int64_t j, int64_t held) {
          const auto gelu = VectorMath<Isa, W>::gelu(V::load(g_.gate + at + j, held));
          y *= gelu.slope;
          if (g_.gate_gelu) V::store(g_.gate_gelu + at + j, gelu.value, held);
        });
      }
    }
    each([&](Vec& y, int64_t j, int64_t held) { V::store(c + j, y, held); });
  }

  /// Asks for a row of a block, to be read (0) or written (1).
  template <int Write, class P>
  [[gnu::always_inline]] static inline void ask(const P* row) {
    constexpr int kLine = 64 / sizeof(P);
#pragma GCC unroll 4
    for (int j = 0; j < Format::columns; j += kLine) __builtin_prefetch(row + j, Write);
  }

  const Gemm<T, C>& g_;
  const bool plain_;  // at most added to C, and a bias
  int64_t row_ = 0, end_ = 0, column_ = 0, width_ = 0, down_ = 0, right_ = 0;
  const W* sums_ = nullptr;
  const char *ahead_ = nullptr, *ahead_end_ = nullptr;
};

}  // namespace videomae
