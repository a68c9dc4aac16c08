// The plainest possible product, for tests: three loops, every sum kept in double. O(m n k), one thread.
#pragma once

#include <cmath>
#include <cstdint>

#include "cpu/gemm.h"

namespace videomae {

/// The same result as `gemm`, up to rounding. Needs no workspace.
inline void gemm_reference(const Gemm<double>& g) {
  for (int64_t i = 0; i < g.m; ++i) {
    for (int64_t j = 0; j < g.n; ++j) {
      double x = 0;
      for (int64_t k = 0; k < g.k; ++k) {
        double a = g.a_transposed ? g.a[k * g.lda + i] : g.a[i * g.lda + k];
        double b = g.b_transposed ? g.b[j * g.ldb + k] : g.b[k * g.ldb + j];
        x += a * b;
      }
      if (g.accumulate) x += g.c[i * g.ldc + j];
      if (g.bias) x += g.bias[j];
      if (g.preactivation) g.preactivation[i * g.ldc + j] = x;
      if (g.gelu) x *= 0.5 * std::erfc(-x * std::sqrt(0.5));
      if (g.residual) x += g.residual[i * g.residual_ld + j];
      if (g.table) x += g.table[g.table_rows[i] * g.n + j];
      if (g.gate) {
        const double at = g.gate[i * g.ldc + j];
        const double below = 0.5 * std::erfc(-at * std::sqrt(0.5));
        if (g.gate_gelu) g.gate_gelu[i * g.ldc + j] = at * below;
        x *= below + at * std::exp(-0.5 * at * at) / std::sqrt(2 * std::acos(-1.0));
      }
      g.c[i * g.ldc + j] = x;
    }
  }
}

}  // namespace videomae
