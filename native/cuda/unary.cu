// Element-wise functions: one pass of memory. Which function is asked once for a run of elements.
#include "cuda/elements.cuh"
#include "cuda/gelu.cuh"
#include "cuda/unary.cuh"
#include "ops/unary.h"

namespace videomae::cuda {
namespace {

/// 0 and NaN stay what they are.
__device__ __forceinline__ float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x; }

/// Calls body with the function of a kind, float -> float.
template <class Body>
__device__ __forceinline__ void with_function(int kind, Body&& body) {
  switch (kind) {
    case UnaryKind::neg:
      return body([](float x) { return -x; });
    case UnaryKind::exp:
      return body([](float x) { return expf(x); });
    case UnaryKind::log:
      return body([](float x) { return logf(x); });
    case UnaryKind::sqrt:
      return body([](float x) { return sqrtf(x); });
    case UnaryKind::square:
      return body([](float x) { return x * x; });
    case UnaryKind::abs:
      return body([](float x) { return fabsf(x); });
    case UnaryKind::relu:
      return body([](float x) { return x < 0 ? 0.0f : x; });
    case UnaryKind::tanh:
      return body([](float x) { return tanhf(x); });
    case UnaryKind::sigmoid:
      return body([](float x) { return 1 / (1 + expf(-x)); });
    case UnaryKind::sign:
      return body([](float x) { return sign(x); });
    default:
      return body([](float x) { return gelu(x); });
  }
}

/// Calls body with the gradient of a kind: (gradient, v) -> float, where v is y or x, as UnaryKind says.
template <class Body>
__device__ __forceinline__ void with_gradient(int kind, Body&& body) {
  switch (kind) {
    case UnaryKind::neg:
      return body([](float g, float) { return -g; });
    case UnaryKind::exp:
      return body([](float g, float y) { return g * y; });
    case UnaryKind::log:
      return body([](float g, float x) { return g / x; });
    case UnaryKind::sqrt:
      return body([](float g, float y) { return g / (2 * y); });
    case UnaryKind::square:
      return body([](float g, float x) { return 2 * g * x; });
    case UnaryKind::abs:
      return body([](float g, float x) { return g * sign(x); });
    case UnaryKind::relu:
      return body([](float g, float x) { return x > 0 ? g : 0.0f; });
    case UnaryKind::tanh:
      return body([](float g, float y) { return g * (1 - y * y); });
    case UnaryKind::sigmoid:
      return body([](float g, float y) { return g * y * (1 - y); });
    case UnaryKind::sign:
      return body([](float, float) { return 0.0f; });
    default:
      return body([](float g, float x) { return g * gelu_derivative(x); });
  }
}

template <int width, class T>
__global__ void unary_forward(int kind, const T* x, T* y, int64_t count) {
  dependent_launch_begin();
  const int64_t i = thread_number() * width;
  if (i >= count) return;
  Floats<width> values = load_floats<width>(x + i, count - i);
  with_function(kind, [&](auto function) {
#pragma unroll
    for (int j = 0; j < width; ++j) values.at[j] = function(values.at[j]);
  });
  store_floats<width>(y + i, values, count - i);
}

template <int width, class T>
__global__ void unary_backward(int kind, const T* grad_y, const T* v, T* grad_x, int64_t count) {
  dependent_launch_begin();
  const int64_t i = thread_number() * width;
  if (i >= count) return;
  Floats<width> gradient = load_floats<width>(grad_y + i, count - i);
  const Floats<width> values = v == nullptr ? gradient : load_floats<width>(v + i, count - i);
  with_gradient(kind, [&](auto function) {
#pragma unroll
    for (int j = 0; j < width; ++j) gradient.at[j] = function(gradient.at[j], values.at[j]);
  });
  store_floats<width>(grad_x + i, gradient, count - i);
}

}  // namespace

void start_unary(const Context& context, int kind, DType dtype, const void* x, void* y, int64_t count) {
  with_real(Unary::name, dtype, [&](auto t) {
    using T = decltype(t);
    with_width<T>(aligned(16, {x, y}), [&](auto w) {
      constexpr int width = decltype(w)::value;
      launch_threads(context, unary_forward<width, T>, ceil_div(count, width), kind, static_cast<const T*>(x),
                     static_cast<T*>(y), count);
    });
  });
}

void run(Unary& op, const Context& context) {
  start_unary(context, op.kind.value, op.x.dtype(), op.x.tensor.data(), op.y.tensor.data(), op.x.elements());
}

void run(UnaryBackward& op, const Context& context) {
  with_real(op.name, op.grad_y.dtype(), [&](auto t) {
    using T = decltype(t);
    const int kind = op.kind.value;
    const T *grad_y = op.grad_y.data<T>(), *v = nullptr;  // neg and sign need neither x nor y
    if (UnaryKind::by_value(kind)) v = op.y.data<T>();
    if (UnaryKind::by_argument(kind)) v = op.x.data<T>();
    T* grad_x = op.grad_x.data<T>();
    const int64_t count = op.grad_y.elements();
    with_width<T>(aligned(16, {grad_y, v, grad_x}), [&](auto w) {
      constexpr int width = decltype(w)::value;
      launch_threads(context, unary_backward<width, T>, ceil_div(count, width), kind, grad_y, v, grad_x, count);
    });
  });
}

size_t workspace(const Unary&) { return 0; }
size_t workspace(const UnaryBackward&) { return 0; }

}  // namespace videomae::cuda
