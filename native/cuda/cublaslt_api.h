// The few functions of cuBLASLt that are used, declared here: the library is opened at run time, and nobody needs its
// headers to build. device/cublaslt_check.cuh compares this with the real header where there is one.
// Source: cuBLAS documentation 13.1, "Using the cuBLASLt API".
#pragma once

#include <cstddef>
#include <cstdint>

namespace videomae::cuda::cublaslt {

constexpr int success = 0;                      // cublasStatus_t
constexpr int real_f32 = 0, real_bf16 = 14;     // cudaDataType
constexpr int compute_f32 = 68;                 // CUBLAS_COMPUTE_32F: bf16 products summed in f32
constexpr int compute_f32_pedantic = 69;        // real f32: neither TF32 nor sums of bf16 products in its place
constexpr int no_transpose = 0, transpose = 1;  // cublasOperation_t
constexpr int desc_transpose_a = 3, desc_transpose_b = 4;           // cublasLtMatmulDescAttributes_t
constexpr int layout_batch_count = 5, layout_batch_step = 6;        // cublasLtMatrixLayoutAttribute_t
constexpr int preference_workspace = 1, preference_reductions = 3;  // cublasLtMatmulPreferenceAttributes_t
constexpr int preference_alignment_a = 5, preference_alignment_b = 6, preference_alignment_c = 7,
              preference_alignment_d = 8;
constexpr uint32_t reduction_none = 0, reduction_compute_type = 2;  // cublasLtReductionScheme_t
constexpr int config_id = 0, config_tile = 1, config_split_k = 2, config_reduction = 3, config_stages = 6;

struct Algorithm {
  uint64_t data[8];
};

struct Heuristic {
  Algorithm algorithm;
  size_t workspace_bytes;
  int status;
  float waves;
  int reserved[4];
};

/// Handles are pointers to the library's own structs.
struct Functions {
  size_t (*cublasLtGetVersion)();
  int (*cublasLtCreate)(void** handle);
  int (*cublasLtMatrixLayoutCreate)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t ld);
  int (*cublasLtMatrixLayoutSetAttribute)(void* layout, int attribute, const void* value, size_t bytes);
  int (*cublasLtMatrixLayoutDestroy)(void* layout);
  int (*cublasLtMatmulDescCreate)(void** description, int compute, int scale_type);
  int (*cublasLtMatmulDescSetAttribute)(void* description, int attribute, const void* value, size_t bytes);
  int (*cublasLtMatmulDescDestroy)(void* description);
  int (*cublasLtMatmulPreferenceCreate)(void** preference);
  int (*cublasLtMatmulPreferenceSetAttribute)(void* preference, int attribute, const void* value, size_t bytes);
  int (*cublasLtMatmulPreferenceDestroy)(void* preference);
  int (*cublasLtMatmulAlgoGetHeuristic)(void* handle, void* description, void* a, void* b, void* c, void* d,
                                        void* preference, int wanted, Heuristic* found, int* found_count);
  int (*cublasLtMatmulAlgoConfigGetAttribute)(const Algorithm*, int attribute, void* value, size_t bytes,
                                              size_t* written);
  int (*cublasLtMatmul)(void* handle, void* description, const void* alpha, const void* a, void* a_layout,
                        const void* b, void* b_layout, const void* beta, const void* c, void* c_layout, void* d,
                        void* d_layout, const Algorithm*, void* workspace, size_t workspace_bytes, void* stream);
};

}  // namespace videomae::cuda::cublaslt
