// That cublaslt_api.h says what NVIDIA's header says, where that is on the include path; nothing elsewhere. The header
// comes with the CUDA toolkit's cuBLAS, or in Python's package nvidia-cublas.
#pragma once

#if defined(__CUDACC__) && __has_include(<cublasLt.h>)
#include <cublasLt.h>

#include <type_traits>

#include "cuda/cublaslt_api.h"

namespace videomae::cuda::cublaslt {

static_assert(success == CUBLAS_STATUS_SUCCESS);
static_assert(real_f32 == CUDA_R_32F && real_bf16 == CUDA_R_16BF);
static_assert(compute_f32 == CUBLAS_COMPUTE_32F && compute_f32_pedantic == CUBLAS_COMPUTE_32F_PEDANTIC);
static_assert(no_transpose == CUBLAS_OP_N && transpose == CUBLAS_OP_T);
static_assert(desc_transpose_a == CUBLASLT_MATMUL_DESC_TRANSA && desc_transpose_b == CUBLASLT_MATMUL_DESC_TRANSB);
static_assert(layout_batch_count == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
static_assert(layout_batch_step == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
static_assert(preference_workspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(preference_reductions == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(preference_alignment_a == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(preference_alignment_b == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(preference_alignment_c == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(preference_alignment_d == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(reduction_none == CUBLASLT_REDUCTION_SCHEME_NONE);
static_assert(reduction_compute_type == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
static_assert(config_id == CUBLASLT_ALGO_CONFIG_ID && config_tile == CUBLASLT_ALGO_CONFIG_TILE_ID);
static_assert(config_split_k == CUBLASLT_ALGO_CONFIG_SPLITK_NUM && config_stages == CUBLASLT_ALGO_CONFIG_STAGES_ID);
static_assert(config_reduction == CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);

static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(Heuristic, workspace_bytes) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(Heuristic, status) == offsetof(cublasLtMatmulHeuristicResult_t, state));

/// Whether two functions take the same arguments as far as calling them goes: equal sizes, one by one.
template <class Ours, class Theirs>
struct SameCall;
template <class A, class... As, class B, class... Bs>
struct SameCall<A (*)(As...), B (*)(Bs...)> {
  template <class... Sames>
  static constexpr bool all(Sames... same) {
    return (same && ...);
  }
  template <bool counted>
  static constexpr bool arguments() {
    if constexpr (counted)
      return all((sizeof(As) == sizeof(Bs) && std::is_pointer_v<As> == std::is_pointer_v<Bs>)...);
    else
      return false;
  }
  static constexpr bool value = sizeof(A) == sizeof(B) && arguments<sizeof...(As) == sizeof...(Bs)>();
};
#define SAME_CALL(name) static_assert(SameCall<decltype(Functions::name), decltype(&::name)>::value)
SAME_CALL(cublasLtGetVersion);
SAME_CALL(cublasLtCreate);
SAME_CALL(cublasLtMatrixLayoutCreate);
SAME_CALL(cublasLtMatrixLayoutSetAttribute);
SAME_CALL(cublasLtMatrixLayoutDestroy);
SAME_CALL(cublasLtMatmulDescCreate);
SAME_CALL(cublasLtMatmulDescSetAttribute);
SAME_CALL(cublasLtMatmulDescDestroy);
SAME_CALL(cublasLtMatmulPreferenceCreate);
SAME_CALL(cublasLtMatmulPreferenceSetAttribute);
SAME_CALL(cublasLtMatmulPreferenceDestroy);
SAME_CALL(cublasLtMatmulAlgoGetHeuristic);
SAME_CALL(cublasLtMatmulAlgoConfigGetAttribute);
SAME_CALL(cublasLtMatmul);
#undef SAME_CALL

}  // namespace videomae::cuda::cublaslt
#endif
