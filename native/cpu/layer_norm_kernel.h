// Layer normalisation of rows, forward and backward. A row stays in the first-level cache from its first pass on. Sums
// run in four vectors, whose order depends on the width and the instruction set only.
#pragma once

#include "cpu/row_kernels.h"
#include "cpu/vectors.h"

namespace videomae {

template <class Isa, class T>
struct LayerNormKernel {
  using W = wide_t<T>;
  using V = Vectors<Isa, W>;
  using Vec = typename V::Vec;

  /// The sum over a row of f(i, left), a vector of the terms from i, of which `left` are in the row; those beyond are
  /// 0.
  template <class F>
  VIDEOMAE_INLINE W row_sum(int64_t width, F f) {
    Vec sum[4] = {};
    int64_t i = 0;
    for (; i + 4 * V::lanes <= width; i += 4 * V::lanes)
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) sum[j] += f(i + j * V::lanes, int64_t{V::lanes});
    for (; i < width; i += V::lanes) sum[0] += f(i, width - i);
    alignas(64) W part[V::lanes];
    V::store(part, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (int half = V::lanes / 2; half > 0; half /= 2)
      for (int j = 0; j < half; ++j) part[j] += part[j + half];
    return part[0];
  }

  /// x[0 ...] - mean, and 0 beyond what is left of the row.
  VIDEOMAE_INLINE Vec centred(const T* x, int64_t left, W mean) {
    const Vec difference = V::load(x, left) - mean;
    if (left >= V::lanes) return difference;
    alignas(64) W kept[V::lanes] = {};
    V::store(kept, difference, left);
    return V::load(kept);
  }

  static void forward(const LayerNormRows<T>& a, int64_t row, int64_t row_end) {
    const int64_t width = a.width;
    for (; row < row_end; ++row) {
      const T* x = a.x + row * width;
      T* y = a.y + row * width;
      if (a.residual) {
        T* sum = a.sum ? a.sum + row * width : y;  // what is normalised; y may hold it until it is written
        for (int64_t i = 0; i < width; i += V::lanes) {
          const int64_t left = width - i;
          V::store(sum + i, V::load(x + i, left) + V::load(a.residual + row * width + i, left), left);
        }
        x = sum;
      }
      const W mean = row_sum(width, [=](int64_t i, int64_t left) { return V::load(x + i, left); }) / width;
      const auto squared = [=](int64_t i, int64_t left) {
        const Vec difference = centred(x + i, left, mean);
        return difference * difference;
      };
      const W variance = row_sum(width, squared) / width;
      const W rstd = static_cast<W>(1 / __builtin_sqrt(static_cast<double>(variance) + a.eps));
      for (int64_t i = 0; i < width; i += V::lanes) {
        const int64_t left = width - i;
        const Vec normal = (V::load(x + i, left) - mean) * rstd;
        V::store(y + i, normal * V::load(a.weight + i, left) + V::load(a.bias + i, left), left);
      }
      a.mean[row] = mean, a.rstd[row] = rstd;
    }
  }

  static void backward(const LayerNormGradientRows<T>& a, int64_t row, int64_t row_end, W* weight_sum, W* bias_sum) {
    const int64_t width = a.width;
    for (; row < row_end; ++row) {
      const T *g = a.grad_y + row * width, *x = a.x + row * width;
      const W mean = a.mean[row], rstd = a.rstd[row];
      for (int64_t i = 0; i < width; i += V::lanes) {
        const int64_t left = width - i;
        const Vec gradient = V::load(g + i, left), normal = (V::load(x + i, left) - mean) * rstd;
        V::store(weight_sum + i, V::load(weight_sum + i, left) + gradient * normal, left);
        V::store(bias_sum + i, V::load(bias_sum + i, left) + gradient, left);
      }
      if (a.grad_x == nullptr) continue;
      // With n the normalised row and h = g * weight: dx = rstd * (h - mean(h) - n * mean(h * n)).
      const auto scaled = [=](int64_t i, int64_t left) { return V::load(g + i, left) * V::load(a.weight + i, left); };
      const auto along = [=](int64_t i, int64_t left) { return scaled(i, left) * centred(x + i, left, mean); };
      const W h = row_sum(width, scaled) / width, hn = row_sum(width, along) * rstd / width;
      T* grad_x = a.grad_x + row * width;
      for (int64_t i = 0; i < width; i += V::lanes) {
        const int64_t left = width - i;
        const Vec normal = (V::load(x + i, left) - mean) * rstd;
        Vec gradient = (scaled(i, left) - h - normal * hn) * rstd;
        if (a.grad_sum) gradient += V::load(a.grad_sum + row * width + i, left);
        V::store(grad_x + i, gradient, left);
      }
    }
  }
};

}  // namespace videomae
