// The kernels over rows and ranges, written once and compiled once an instruction set.
#pragma once

#include "cpu/layer_norm_kernel.h"
#include "cpu/math.h"
#include "cpu/row_kernels.h"

namespace videomae {

template <class Isa, class T>
struct ElementwiseKernel {
  using V = Vectors<Isa, wide_t<T>>;
  using Math = VectorMath<Isa, wide_t<T>>;

  static void gelu(int64_t n, const T* x, T* y) {
    for (int64_t i = 0; i < n; i += V::lanes) V::store(y + i, Math::gelu(V::load(x + i, n - i)).value, n - i);
  }
  static void gelu_gradient(int64_t n, const T* grad_y, const T* x, T* grad_x) {
    for (int64_t i = 0; i < n; i += V::lanes)
      V::store(grad_x + i, V::load(grad_y + i, n - i) * Math::gelu(V::load(x + i, n - i)).slope, n - i);
  }
  static void add(int64_t n, const T* a, const T* b, T* y) {
    for (int64_t i = 0; i < n; i += V::lanes) V::store(y + i, V::load(a + i, n - i) + V::load(b + i, n - i), n - i);
  }
};

template <class Isa, class W>
struct ParameterKernel {
  using V = Vectors<Isa, W>;
  using Vec = typename V::Vec;

  VIDEOMAE_INLINE Vec root(Vec x) {
    alignas(64) W lanes[V::lanes];
    V::store(lanes, x);
    for (W& lane : lanes) lane = sizeof(W) == 4 ? W(__builtin_sqrtf(float(lane))) : W(__builtin_sqrt(double(lane)));
    return V::load(lanes);
  }

  static void adamw(const AdamWRange<W>& a) {
    for (int64_t i = 0; i < a.count; i += V::lanes) {
      const int64_t left = a.count - i;
      const Vec gradient = V::load(a.gradients + i, left) * a.clip;
      const Vec m = V::load(a.exp_avg + i, left) * a.beta1 + gradient * a.rest1;
      const Vec v = V::load(a.exp_avg_sq + i, left) * a.beta2 + gradient * gradient * a.rest2;
      const Vec w = V::load(a.parameters + i, left) * a.keep - m * a.step_size / (root(v) / a.root2 + a.eps);
      V::store(a.exp_avg + i, m, left);
      V::store(a.exp_avg_sq + i, v, left);
      V::store(a.parameters + i, w, left);
      V::store(a.gradients + i, Vec{}, left);
      if constexpr (sizeof(W) == 4)
        if (a.copies) V::store(a.copies + i, w, left);
    }
  }

  /// Squares and sums in double, in four vectors.
  static double sum_of_squares(int64_t n, const W* x) {
    using D = Vectors<Isa, double>;
    typedef W Narrow __attribute__((vector_size(Isa::vector_bytes / 8 * sizeof(W))));
    const auto wide = [](const W* p) {
      Narrow v;
      __builtin_memcpy(&v, p, sizeof v);
      return __builtin_convertvector(v, typename D::Vec);
    };
    typename D::Vec sum[4] = {};
    int64_t i = 0;
    for (; i + 4 * D::lanes <= n; i += 4 * D::lanes)
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const typename D::Vec v = wide(x + i + j * D::lanes);
        sum[j] += v * v;
      }
    double total = D::sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (; i < n; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return total;
  }
};

template <class Isa, class T>
constexpr RowKernels<T> row_table() {
  using E = ElementwiseKernel<Isa, T>;
  return {LayerNormKernel<Isa, T>::forward, LayerNormKernel<Isa, T>::backward, E::gelu, E::gelu_gradient, E::add};
}

template <class Isa, class W>
constexpr ParameterKernels<W> parameter_table() {
  return {ParameterKernel<Isa, W>::adamw, ParameterKernel<Isa, W>::sum_of_squares};
}

template <class Isa>
constexpr RowKernelSet row_kernel_set() {
  return {row_table<Isa, double>(), row_table<Isa, float>(), row_table<Isa, bf16>(), parameter_table<Isa, double>(),
          parameter_table<Isa, float>()};
}

}  // namespace videomae
