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

  /// Takes on a block; the one before must be finished. sums: (Format::sums, Format::rows, Format::columns).
  void begin(int64_t row, int64_t height, int64_t column, int64_t width, const W* sums) {
    row_ = row, end_ = row + height, column_ = column, width_ = width, sums_ = sums;
  }

  void finish() {
    while (row_ < end_) write_row();
  }

  /// Names memory that will be read after the block that is multiplied now.
  void expect(const char* begin, int64_t bytes) { ahead_ = begin, ahead_end_ = begin + bytes; }

  /// The next `bytes` of the expected memory, or `otherwise` where none is left.
  [[gnu::always_inline]] inline const void* expected(int64_t bytes, const void* otherwise) {
    if (ahead_ >= ahead_end_) return otherwise;
    const char* at = ahead_;
    ahead_ += bytes;
    return at;
  }

  /// Writes the next row of the block, if one is left, and asks for some of the expected memory.
  [[gnu::always_inline]] inline void advance() {
    if (row_ < end_) write_row();
    for (int line = 0; line < 4 && ahead_ < ahead_end_; ++line, ahead_ += 64) __builtin_prefetch(ahead_, 0, 2);
  }

 private:
  using V = Vectors<Isa, W>;
  using Vec = typename V::Vec;

  [[gnu::always_inline]] inline void write_row() {
    if (width_ == Format::columns) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < Format::columns; v += V::lanes) write_vector(v, V::lanes);
    } else {
      for (int64_t v = 0; v < width_; v += V::lanes) write_vector(v, width_ - v);
    }
    ++row_, sums_ += Format::columns;
  }

  /// The sums of the row from `v` on; `held` of them are part of C, or all.
  [[gnu::always_inline]] inline void write_vector(int64_t v, int64_t held) {
    const int64_t i = row_, j = column_ + v;
    if (v * sizeof(C) % 64 == 0) __builtin_prefetch(g_.c + i * g_.ldc + j + Format::columns, 1);  // for the next block
    Vec x = V::load(sums_ + v);
    for (int part = 1; part < Format::sums; ++part) x += V::load(sums_ + part * Format::rows * Format::columns + v);
    if (g_.accumulate) x += V::load(g_.c + i * g_.ldc + j, held);
    if (g_.bias) x += V::load(g_.bias + j, held);
    if (plain_) return V::store(g_.c + i * g_.ldc + j, x, held);
    if (g_.preactivation) V::store(g_.preactivation + i * g_.ldc + j, x, held);
    if (g_.gelu) x = VectorMath<Isa, W>::gelu(x);
    if (g_.residual) x += V::load(g_.residual + i * g_.residual_ld + j, held);
    if (g_.table) x += V::load(g_.table + g_.table_rows[i] * g_.n + j, held);
    if (g_.gate) x *= VectorMath<Isa, W>::gelu_derivative(V::load(g_.gate + i * g_.ldc + j, held));
    V::store(g_.c + i * g_.ldc + j, x, held);
  }

  const Gemm<T, C>& g_;
  const bool plain_;  // at most added to C, and a bias
  int64_t row_ = 0, end_ = 0, column_ = 0, width_ = 0;
  const W* sums_ = nullptr;
  const char *ahead_ = nullptr, *ahead_end_ = nullptr;
};

}  // namespace videomae
