// What happens to a block of sums on its way to C: + bias, then GELU (keeping the value before it), + residual, + row of
// a table, rounded once to the type of C.
#pragma once

#include "cpu/gemm.h"
#include "cpu/math.h"

namespace videomae {

template <class Isa, class T, class C>
struct Epilogue {
  using W = wide_t<T>;
  using V = Vectors<Isa, W>;
  using Vec = typename V::Vec;

  /// Asks for the lines of C that write() will touch.
  static void request(const Gemm<T, C>& g, int64_t row, int64_t height, int64_t column, int64_t width) {
    constexpr int64_t kLine = 64 / sizeof(C);
    for (int64_t i = 0; i < height; ++i)
      for (int64_t j = 0; j < width; j += kLine) __builtin_prefetch(g.c + (row + i) * g.ldc + column + j, 1);
  }

  /// sums: (height, width), rows `step` apart.
  static void write(const Gemm<T, C>& g, int64_t row, int64_t height, int64_t column, int64_t width, const W* sums,
                    int64_t step) {
    for (int64_t i = row; i < row + height; ++i, sums += step) {
      const W* table = g.table ? g.table + g.table_rows[i] * g.n : nullptr;
      for (int64_t v = 0; v < width; v += V::lanes) {
        const int64_t j = column + v, held = width - v;
        Vec x = V::load(sums + v);
        if (g.bias) x += V::load(g.bias + j, held);
        if (g.preactivation) V::store(g.preactivation + i * g.ldc + j, x, held);
        if (g.gelu) x = VectorMath<Isa, W>::gelu(x);
        if (g.residual) x += V::load(g.residual + i * g.residual_ld + j, held);
        if (table) x += V::load(table + j, held);
        V::store(g.c + i * g.ldc + j, x, held);
      }
    }
  }
};

}  // namespace videomae
