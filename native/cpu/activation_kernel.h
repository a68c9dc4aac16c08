// The element-wise kernels, written once on vectors and compiled once an instruction set.
#pragma once

#include "cpu/math.h"
#include "cpu/vectors.h"

namespace videomae {

/// One instruction set's functions.
struct ActivationKernelSet {
  void (*gelu_backward_f32)(int64_t n, const float* x, const float* gradient, float* out);
  void (*gelu_backward_f64)(int64_t n, const double* x, const double* gradient, double* out);
};

extern const ActivationKernelSet kActivationPortable;
#if defined(__x86_64__)
extern const ActivationKernelSet kActivationAvx2, kActivationAvx512;
#endif

template <class Isa>
struct ActivationKernel {
  template <class T>
  static void gelu_backward(int64_t n, const T* x, const T* gradient, T* out) {
    using V = Vectors<Isa, T>;
    for (int64_t i = 0; i < n; i += V::lanes) {
      const int64_t left = n - i;
      V::store(out + i, V::load(gradient + i, left) * VectorMath<Isa, T>::gelu_derivative(V::load(x + i, left)), left);
    }
  }

  static constexpr ActivationKernelSet table() { return {gelu_backward<float>, gelu_backward<double>}; }
};

}  // namespace videomae
