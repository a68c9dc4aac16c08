// The gradient through bias and GELU of some rows and columns, written once on vectors and compiled once an instruction
// set.
#pragma once

#include "cpu/linear_epilogue.h"
#include "cpu/math.h"

namespace videomae {

/// Rows [row, row_end) and columns [column, column_end); adds into partial sums that begin at `sums`.
template <class T>
using EpilogueGradientBlock = void (*)(const cpu::EpilogueGradient<T>&, int64_t row, int64_t row_end, int64_t column,
                                       int64_t column_end, wide_t<T>* sums);

/// One instruction set's functions.
struct EpilogueGradientKernels {
  EpilogueGradientBlock<double> of_f64;
  EpilogueGradientBlock<float> of_f32;
  EpilogueGradientBlock<bf16> of_bf16;
};

extern const EpilogueGradientKernels kEpilogueGradientPortable;
#if defined(__x86_64__)
extern const EpilogueGradientKernels kEpilogueGradientAvx2, kEpilogueGradientAvx512;
#endif

template <class Isa>
struct EpilogueGradientKernel {
  template <class T>
  static void block(const cpu::EpilogueGradient<T>& g, int64_t row, int64_t row_end, int64_t column, int64_t column_end,
                    wide_t<T>* sums) {
    using V = Vectors<Isa, wide_t<T>>;
    for (int64_t j = column; j < column_end; j += V::lanes) V::store(sums + j, typename V::Vec{}, column_end - j);
    for (int64_t i = row; i < row_end; ++i)
      for (int64_t j = column; j < column_end; j += V::lanes) {
        const int64_t at = i * g.n + j, left = column_end - j;
        typename V::Vec x = V::load(g.gradient + at, left);
        if (g.preactivation) {
          x *= VectorMath<Isa, wide_t<T>>::gelu(V::load(g.preactivation + at, left)).slope;
          V::store(g.before + at, x, left);
        }
        V::store(sums + j, V::load(sums + j, left) + x, left);
      }
  }

  static constexpr EpilogueGradientKernels table() { return {block<double>, block<float>, block<bf16>}; }
};

}  // namespace videomae
