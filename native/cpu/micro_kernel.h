// The register-blocked product every dense kernel is made of: a Rows x (2 vectors) block of C stays in registers while
// k outer products of a column of A and a row of B are added to it.
//   c[i][j] (+)= sum_k a[k * a_step + i] * b[k * columns + j],   0 <= i < Rows,   0 <= j < columns = 2 vectors
// With AVX-512 14 x 2 accumulators + 2 vectors of B + one broadcast fill the 32 registers: 28 fused multiply-adds for
// 16 loads, so the two FMA ports are the limit. Every count of rows up to Isa::rows has its own instance: a tail of A
// costs what it holds and nothing beyond it is read.
// Memory wanted `ahead` is asked for on the way, a step for each k.
#pragma once

#include "cpu/ahead.h"
#include "cpu/vectors.h"

namespace videomae {

/// Columns of a block of C; B is packed in panels of this width.
template <class Isa, class T>
constexpr int kPanelColumns = 2 * Vectors<Isa, T>::lanes;

/// Elements from one k to the next in a packed panel of A: Isa::rows rounded up to whole vectors, so that a panel can
/// be written by vector transposes.
template <class Isa, class T>
constexpr int kPanelStep = (Isa::rows + Vectors<Isa, T>::lanes - 1) / Vectors<Isa, T>::lanes * Vectors<Isa, T>::lanes;

template <class Isa, class T, int Rows>
[[gnu::noinline]] void micro_kernel(int64_t k, const T* a, int64_t a_step, const T* b, T* c, bool add,
                                    const Ahead& ahead) {
  using V = Vectors<Isa, T>;
  constexpr int lanes = V::lanes;
  typename V::Vec sum[Rows][2];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    sum[i][0] = add ? V::load(c + 2 * i * lanes) : typename V::Vec{};
    sum[i][1] = add ? V::load(c + (2 * i + 1) * lanes) : typename V::Vec{};
  }
  const auto step = [&]() __attribute__((always_inline)) {
    typename V::Vec b0 = V::load(b), b1 = V::load(b + lanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      sum[i][0] += a[i] * b0;
      sum[i][1] += a[i] * b1;
    }
    a += a_step;
    b += 2 * lanes;
  };
  Ahead::run(ahead, k, step);
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    V::store(c + 2 * i * lanes, sum[i][0]);
    V::store(c + (2 * i + 1) * lanes, sum[i][1]);
  }
}

/// micro_kernel for a number of rows known only at run time, 1 to Isa::rows.
template <class Isa, class T, int Rows = Isa::rows>
inline void run_micro_kernel(int64_t rows, int64_t k, const T* a, int64_t a_step, const T* b, T* c, bool add,
                             const Ahead& ahead) {
  if constexpr (Rows > 1)
    if (rows < Rows) return run_micro_kernel<Isa, T, Rows - 1>(rows, k, a, a_step, b, c, add, ahead);
  micro_kernel<Isa, T, Rows>(k, a, a_step, b, c, add, ahead);
}

}  // namespace videomae
