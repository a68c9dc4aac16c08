// Dense matrix products on the CPU: C = op(A) op(B), row-major, with the layers' epilogues (bias, GELU, residual)
// applied while a tile of C is still in cache. Both operands are packed once into panels (transposes and tails are
// dealt with there), then a 2-D grid of C tiles is handed out to the thread pool; every element of C is summed by one
// thread in an order that depends on the shape and the instruction set only, so any number of threads gives the same
// bits. Cost: 2 m n k flop, plus one read and one write of A and B for the packing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/instruction_set.h"

namespace videomae {

/// One product. Pointers are borrowed. C must not overlap any input, `residual` included: to add to what C holds, use
/// `accumulate`.
template <class T>
struct Gemm {
  int64_t m, n, k;
  const T* a;  // (m, k), or stored (k, m) when transposed; rows lda elements apart
  int64_t lda;
  bool a_transposed;
  const T* b;  // (k, n), or stored (n, k) when transposed (a linear layer's weight); rows ldb elements apart
  int64_t ldb;
  bool b_transposed;
  T* c;  // (m, n), rows ldc elements apart
  int64_t ldc;
  bool accumulate = false;      // the sum starts from what C holds, before bias and GELU
  const T* bias = nullptr;      // (n), added to each row
  const T* residual = nullptr;  // (m, n), or (any, n) with residual_rows; added last
  int64_t residual_ld = 0;
  const int32_t* residual_rows = nullptr;  // (m): row i of C adds residual row residual_rows[i] (positional tables)
  bool gelu = false;                       // exact (erf) GELU after the bias
  T* preactivation = nullptr;              // (m, n), rows ldc apart: the value before GELU, stored when not null
};

/// Bytes of workspace `gemm` needs, under any instruction set.
template <class T>
size_t gemm_workspace(int64_t m, int64_t n, int64_t k);

/// Computes the product. `workspace`: gemm_workspace bytes, aligned to 64; may be null when those are 0. Throws
/// std::invalid_argument for a negative size or a row stride smaller than its row. T is float or double.
template <class T>
void gemm(const Gemm<T>& product, void* workspace);

}  // namespace videomae
