// Kernels that go over rows or ranges of memory, one table an instruction set. Calls are large (a piece of work of the
// thread pool), so the table costs nothing. T is double, float or bf16; what is computed, and every number that is no
// activation, is wide_t<T>.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace videomae {

template <class T>
struct LayerNormRows {
  int64_t width;
  const T *x, *residual;          // (rows, width); residual may be null: nothing is added
  const wide_t<T>*weight, *bias;  // (width)
  double eps;
  T *y, *sum;             // (rows, width); x + residual goes to `sum`, unless that is null
  wide_t<T>*mean, *rstd;  // (rows)
};

template <class T>
struct LayerNormGradientRows {
  int64_t width;
  const T *grad_y, *x, *grad_sum;        // (rows, width); grad_sum may be null: nothing is added to grad x
  const wide_t<T>*weight, *mean, *rstd;  // (width), (rows), (rows)
  T* grad_x;                             // (rows, width), or null: not wanted
};

/// One stretch of parameters that share their coefficients; see native/ops/adamw.h for the formula.
template <class W>
struct AdamWRange {
  int64_t count;
  W *parameters, *gradients, *exp_avg, *exp_avg_sq;
  bf16* copies;                        // or null; of floats only
  W clip, beta1, beta2, rest1, rest2;  // rest: 1 - beta
  W keep, step_size, root2, eps;       // 1 - rate * decay, rate / (1 - beta1^t), sqrt(1 - beta2^t)
};

template <class T>
struct RowKernels {
  using W = wide_t<T>;
  void (*layer_norm)(const LayerNormRows<T>&, int64_t row, int64_t row_end);
  /// Also adds the rows' parts of grad weight and grad bias to `weight_sum` and `bias_sum`, (width) each.
  void (*layer_norm_gradient)(const LayerNormGradientRows<T>&, int64_t row, int64_t row_end, W* weight_sum,
                              W* bias_sum);
  void (*gelu)(int64_t count, const T* x, T* y);
  void (*gelu_gradient)(int64_t count, const T* grad_y, const T* x, T* grad_x);
  void (*add)(int64_t count, const T* a, const T* b, T* y);
};

template <class W>
struct ParameterKernels {
  void (*adamw)(const AdamWRange<W>&);
  double (*sum_of_squares)(int64_t count, const W* x);
};

struct RowKernelSet {
  RowKernels<double> rows_f64;
  RowKernels<float> rows_f32;
  RowKernels<bf16> rows_bf16;
  ParameterKernels<double> parameters_f64;
  ParameterKernels<float> parameters_f32;
};

extern const RowKernelSet kRowsPortable;
#if defined(__x86_64__)
extern const RowKernelSet kRowsAvx2, kRowsAvx512;
#endif

/// Those of the instruction set in use.
template <class T>
const RowKernels<T>& row_kernels();
template <class W>
const ParameterKernels<W>& parameter_kernels();

}  // namespace videomae
