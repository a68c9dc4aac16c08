// Dense matrix products on the CPU: C = op(A) op(B), row-major, with the layers' epilogues (bias, GELU, residual,
// GELU') applied while a block of C is still in cache. f64, f32 and bf16 (summed in f32, rounded once).
//
// C is cut into a 2-D grid of tiles. Each tile packs its own part of the larger operand into panels, which so never
// leave the second-level cache; the smaller operand is packed by all threads together before, or, where they are few,
// by each for itself (gemm_kernel.h: Packing). Every element of C is summed by one thread, in the order of k, whatever
// the cut: any number of threads gives the same bits. Cost: 2 m n k flop.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

namespace videomae {

/// One product. Pointers are borrowed. C must not overlap any input, `residual` included; to add to it, `accumulate`.
/// What follows the sum is done in the order of the fields.
/// @tparam T  double, float or bf16
/// @tparam C  T, or wide_t<T> for a result that must not be rounded (the gradient of a weight)
template <class T, class C = T>
struct Gemm {
  int64_t m, n, k;
  const T* a;  // (m, k), or stored (k, m) when transposed; rows lda elements apart
  int64_t lda;
  bool a_transposed;
  const T* b;  // (k, n), or stored (n, k) when transposed (a linear layer's weight); rows ldb elements apart
  int64_t ldb;
  bool b_transposed;
  C* c;  // (m, n), rows ldc elements apart
  int64_t ldc;
  const void* packed_b = nullptr;   // what pack_b() made of b under this instruction set: saves packing it
  bool accumulate = false;          // the sum is added to what C holds
  const wide_t<T>* bias = nullptr;  // (n), added to each row
  bool gelu = false;                // exact (erf) GELU after the bias
  C* preactivation = nullptr;       // (m, n), rows ldc apart: the value before GELU, stored when not null
  const T* residual = nullptr;      // (m, n), rows residual_ld apart: added last
  int64_t residual_ld = 0;
  const wide_t<T>* table = nullptr;     // (any, n), dense: row i of C adds row table_rows[i] (a positional table)
  const int32_t* table_rows = nullptr;  // (m)
  const T* gate = nullptr;  // (m, n), rows ldc apart: the result is multiplied by the derivative of GELU there
  C* gate_gelu = nullptr;   // (m, n), rows ldc apart: GELU at the gate, stored when not null
};

/// Bytes of workspace `gemm` needs, under any instruction set.
template <class T>
size_t gemm_workspace(int64_t m, int64_t n, int64_t k);

/// Computes the product. `workspace`: gemm_workspace bytes, aligned to 64; may be null when those are 0. Each thread
/// also keeps space of its own between calls: up to 2 MB, and up to 10 MB more where at most four threads work. Throws
/// std::invalid_argument for a negative size or a row stride smaller than its row.
template <class T, class C>
void gemm(const Gemm<T, C>& product, void* workspace);

/// Bytes that pack_b() writes under the current instruction set.
template <class T>
size_t packed_b_bytes(int64_t n, int64_t k);

/// Packs the B of a product for many products of the same (n, k), any m. Good for the current instruction set only.
/// @param b  (k, n), or stored (n, k) when transposed; rows ldb elements apart
/// @param to  packed_b_bytes, aligned to 64
template <class T>
void pack_b(int64_t n, int64_t k, const T* b, int64_t ldb, bool b_transposed, void* to);

}  // namespace videomae
