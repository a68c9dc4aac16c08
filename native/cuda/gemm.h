// Dense matrix products on a GPU: C = op(A) op(B), row-major, with the layers' epilogues applied before C is written.
//
// A and B are f32 or bf16, sums are f32. bf16 products run on the tensor cores (gemm_mma.cuh), f32 products on the
// multiply-add units in real f32 (gemm_simt.cuh); plain products of either go to cuBLASLt where it is there
// (cublaslt.h). All sizes, row strides and alignments are served. On Hopper the variants "wgmma-..."
// (hopper/gemm_wgmma.h) can make bf16 products whose operands the copy engine can read.
//
// Every element of C is summed in an order that depends on the shape and the device only. Where C has few tiles and k
// is long, k is cut into parts (gemm_plan.h) whose sums meet in a second kernel, in order: no atomics. Cost: 2 m n k
// operations a batch item.
#pragma once

#include "core/dtype.h"
#include "ops/context.h"

namespace videomae::cuda {

/// One product, or a batch of them. Pointers are borrowed. C must not overlap an input; to add to it, `accumulate`.
struct Gemm {
  DType dtype;  // of A and B: f32 or bf16
  int64_t m, n, k;
  const void* a = nullptr;  // (m, k), or stored (k, m) when transposed; rows lda elements apart
  int64_t lda = 0;
  bool a_transposed = false;
  const void* b =
      nullptr;  // (k, n), or stored (n, k) when transposed (a linear layer's weight); rows ldb elements apart
  int64_t ldb = 0;
  bool b_transposed = false;
  void* c = nullptr;  // (m, n), rows ldc elements apart
  int64_t ldc = 0;
  DType c_dtype = DType::f32;  // f32 or that of A and B

  // Items of a batch are so many elements apart; plain products only.
  int64_t batch = 1, a_step = 0, b_step = 0, c_step = 0;

  // The epilogue, in this order.
  bool accumulate = false;            // the sum is added to what C holds
  const float* bias = nullptr;        // (n), added to each row
  void* preactivation = nullptr;      // (m, n) of A's dtype, rows ldc apart: the value at this point
  bool gelu = false;                  // exact (erf) GELU
  const void* gate = nullptr;         // (m, n) of A's dtype, rows ldc apart: multiplied by GELU'(gate)
  float* column_sums = nullptr;       // (n): sums of C's columns at this point
  bool accumulate_sums = false;       // these are added to what `column_sums` holds
  const void* residual = nullptr;     // (m, n), or (residual_count, n) with residual_rows; added last
  DType residual_dtype = DType::f32;  // f32 or that of A and B
  int64_t residual_ld = 0;
  const int32_t* residual_rows = nullptr;  // (m): row i of C adds residual row residual_rows[i] (positional tables)
  int64_t residual_count = 0;              // rows of the table; a row beyond is not added

  /// Whether it is a product and nothing else, or a product added to f32 C.
  bool plain() const {
    return !bias && !preactivation && !gelu && !gate && !column_sums && !residual &&
           (!accumulate || c_dtype == DType::f32);
  }
};

/// What a product's epilogue will have, as far as its workspace depends on it: nothing at all (Gemm::plain), some
/// steps, or also column sums.
enum class After { nothing, steps, column_sums };

/// Bytes of workspace: a function of dtypes, sizes and `after`. Pointers may still be null.
size_t gemm_workspace(const Gemm& product, After after);

/// Starts the product on the context's stream. `workspace`: gemm_workspace() bytes, 16-byte aligned.
/// @throws Error for f64
void gemm(const Context& context, const Gemm& product, void* workspace);

}  // namespace videomae::cuda
