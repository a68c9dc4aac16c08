// Element-wise functions: one pass of memory. GELU is that of the fused layers (math.h), so both give the same bits.
#include <cmath>

#include "cpu/elementwise.h"
#include "cpu/kernels.h"
#include "cpu/row_kernels.h"

namespace videomae::cpu {
namespace {

/// y[i] = f(x[i]), rounded once.
template <class T, class F>
void forward(const Unary& op, F f) {
  const T* x = op.x.data<T>();
  T* y = op.y.data<T>();
  for_elements(op.x.elements(), [=](int64_t from, int64_t until) {
    for (int64_t i = from; i < until; ++i) y[i] = convert<T>(f(widen(x[i])));
  });
}

/// gradX[i] = f(g, v), rounded once, where v is y or x, whichever the derivative is written in.
template <class T, class F>
void backward(const UnaryBackward& op, F f) {
  const T* g = op.grad_y.data<T>();
  const T* v = UnaryKind::by_value(op.kind.value) ? op.y.data<T>() : op.x.data<T>();
  if (v == nullptr) v = g;  // neg and sign use neither
  T* grad_x = op.grad_x.data<T>();
  for_elements(op.grad_y.elements(), [=](int64_t from, int64_t until) {
    for (int64_t i = from; i < until; ++i) grad_x[i] = convert<T>(f(widen(g[i]), widen(v[i])));
  });
}

template <class T>
T sign(T x) {
  return x > 0 ? T{1} : x < 0 ? T{-1} : x;  // 0 and NaN stay what they are
}

template <class T>
void run_forward(const Unary& op) {
  using W = wide_t<T>;
  switch (op.kind.value) {
    case UnaryKind::neg:
      return forward<T>(op, [](W x) { return -x; });
    case UnaryKind::exp:
      return forward<T>(op, [](W x) { return std::exp(x); });
    case UnaryKind::log:
      return forward<T>(op, [](W x) { return std::log(x); });
    case UnaryKind::sqrt:
      return forward<T>(op, [](W x) { return std::sqrt(x); });
    case UnaryKind::square:
      return forward<T>(op, [](W x) { return x * x; });
    case UnaryKind::abs:
      return forward<T>(op, [](W x) { return std::abs(x); });
    case UnaryKind::relu:
      return forward<T>(op, [](W x) { return x < 0 ? W{0} : x; });
    case UnaryKind::tanh:
      return forward<T>(op, [](W x) { return std::tanh(x); });
    case UnaryKind::sigmoid:
      return forward<T>(op, [](W x) { return 1 / (1 + std::exp(-x)); });
    case UnaryKind::sign:
      return forward<T>(op, [](W x) { return sign(x); });
    default: {
      const T* x = op.x.data<T>();
      T* y = op.y.data<T>();
      return for_elements(op.x.elements(), [=, kernel = row_kernels<T>().gelu](int64_t from, int64_t until) {
        kernel(until - from, x + from, y + from);
      });
    }
  }
}

template <class T>
void run_backward(const UnaryBackward& op) {
  using W = wide_t<T>;
  switch (op.kind.value) {
    case UnaryKind::neg:
      return backward<T>(op, [](W g, W) { return -g; });
    case UnaryKind::exp:
      return backward<T>(op, [](W g, W y) { return g * y; });
    case UnaryKind::log:
      return backward<T>(op, [](W g, W x) { return g / x; });
    case UnaryKind::sqrt:
      return backward<T>(op, [](W g, W y) { return g / (2 * y); });
    case UnaryKind::square:
      return backward<T>(op, [](W g, W x) { return 2 * g * x; });
    case UnaryKind::abs:
      return backward<T>(op, [](W g, W x) { return g * sign(x); });
    case UnaryKind::relu:
      return backward<T>(op, [](W g, W x) { return x > 0 ? g : W{0}; });
    case UnaryKind::tanh:
      return backward<T>(op, [](W g, W y) { return g * (1 - y * y); });
    case UnaryKind::sigmoid:
      return backward<T>(op, [](W g, W y) { return g * y * (1 - y); });
    case UnaryKind::sign:
      return backward<T>(op, [](W, W) { return W{0}; });
    default: {
      const T *g = op.grad_y.data<T>(), *x = op.x.data<T>();
      T* grad_x = op.grad_x.data<T>();
      return for_elements(op.x.elements(), [=, kernel = row_kernels<T>().gelu_gradient](int64_t from, int64_t until) {
        kernel(until - from, g + from, x + from, grad_x + from);
      });
    }
  }
}

}  // namespace

void run(Unary& op, const Context&) {
  with_real(op.x.dtype(), [&](auto t) { run_forward<decltype(t)>(op); });
}

void run(UnaryBackward& op, const Context&) {
  with_real(op.grad_y.dtype(), [&](auto t) { run_backward<decltype(t)>(op); });
}

}  // namespace videomae::cpu
