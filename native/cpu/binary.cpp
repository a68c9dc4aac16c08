// Element-wise binary ops: one pass of memory along merged broadcast axes.
#include "cpu/elementwise.h"
#include "cpu/kernels.h"
#include "cpu/row_kernels.h"
#include "cpu/strided.h"

namespace videomae::cpu {
namespace {

StridedWalk<2> walk_of(const Shape& shape, const In& a, const In& b) {
  return {shape, {broadcast_strides(a.shape(), shape), broadcast_strides(b.shape(), shape)}};
}

/// y[i] = f(a, b), rounded once. The loops with constant steps vectorise; a run has no other steps than 0 and 1.
template <class T, class F>
void forward(const Binary& op, F f) {
  const StridedWalk<2> walk = walk_of(op.y.shape, op.a, op.b);
  const T *a = op.a.data<T>(), *b = op.b.data<T>();
  T* y = op.y.data<T>();
  const int64_t step_a = walk.step(0), step_b = walk.step(1);
  for_elements(op.y.shape.elements(), [&](int64_t from, int64_t until) {
    walk(from, until, [&](int64_t first, int64_t length, const std::array<int64_t, 2>& at) {
      const T *run_a = a + at[0], *run_b = b + at[1];
      T* out = y + first;
      if (step_a == 1 && step_b == 1) {
        for (int64_t i = 0; i < length; ++i) out[i] = convert<T>(f(widen(run_a[i]), widen(run_b[i])));
      } else if (step_a == 1) {
        const auto b0 = widen(*run_b);
        for (int64_t i = 0; i < length; ++i) out[i] = convert<T>(f(widen(run_a[i]), b0));
      } else if (step_b == 1) {
        const auto a0 = widen(*run_a);
        for (int64_t i = 0; i < length; ++i) out[i] = convert<T>(f(a0, widen(run_b[i])));
      } else {
        std::fill_n(out, length, convert<T>(f(widen(*run_a), widen(*run_b))));
      }
    });
  });
}

/// The sum of two tensors of one shape, which residual streams are made of.
void add_alike(const Binary& op) {
  with_real(op.a.dtype(), [&](auto t) {
    using T = decltype(t);
    const T *a = op.a.data<T>(), *b = op.b.data<T>();
    T* y = op.y.data<T>();
    for_elements(op.a.elements(), [=, kernel = row_kernels<T>().add](int64_t from, int64_t until) {
      kernel(until - from, a + from, b + from, y + from);
    });
  });
}

/// (gradA[i], gradB[i]) = f(g, a, b), rounded once.
template <class T, class F>
void backward(const BinaryBackward& op, F f) {
  const StridedWalk<2> walk = walk_of(op.grad_y.shape(), op.a, op.b);
  const T *g = op.grad_y.data<T>(), *a = op.a.data<T>(), *b = op.b.data<T>();
  T *grad_a = op.grad_a.data<T>(), *grad_b = op.grad_b.data<T>();
  const int64_t step_a = walk.step(0), step_b = walk.step(1);
  for_elements(op.grad_y.elements(), [&](int64_t from, int64_t until) {
    walk(from, until, [&](int64_t first, int64_t length, const std::array<int64_t, 2>& at) {
      for (int64_t i = 0; i < length; ++i) {
        const auto [by_a, by_b] = f(widen(g[first + i]), widen(a[at[0] + i * step_a]), widen(b[at[1] + i * step_b]));
        if (grad_a != nullptr) grad_a[first + i] = convert<T>(by_a);
        if (grad_b != nullptr) grad_b[first + i] = convert<T>(by_b);
      }
    });
  });
}

/// How a maximum's gradient splits: all to the greater, half each to equals.
template <class T>
std::pair<T, T> split(T g, T greater, T smaller) {
  return greater > smaller ? std::pair{g, T{0}} : greater < smaller ? std::pair{T{0}, g} : std::pair{g / 2, g / 2};
}

/// d(a^b): with respect to a it is 0 for b = 0, and with respect to b it is 0 where a = 0 and b >= 0.
template <class T>
std::pair<T, T> pow_gradients(T g, T a, T b) {
  const T by_a = b == 0 ? T{0} : g * b * std::pow(a, b - 1);
  const T by_b = a == 0 && b >= 0 ? T{0} : g * std::pow(a, b) * std::log(a);
  return {by_a, by_b};
}

template <class T>
void run_forward(Binary& op) {
  using W = wide_t<T>;
  switch (op.kind.value) {
    case Binary::add:
      return forward<T>(op, [](W a, W b) { return a + b; });
    case Binary::sub:
      return forward<T>(op, [](W a, W b) { return a - b; });
    case Binary::mul:
      return forward<T>(op, [](W a, W b) { return a * b; });
    case Binary::div:
      return forward<T>(op, [](W a, W b) { return a / b; });
    case Binary::maximum:
      return forward<T>(op, [](W a, W b) { return a > b || a != a ? a : b; });
    case Binary::minimum:
      return forward<T>(op, [](W a, W b) { return a < b || a != a ? a : b; });
    default:
      return forward<T>(op, [](W a, W b) { return std::pow(a, b); });
  }
}

template <class T>
void run_backward(BinaryBackward& op) {
  using W = wide_t<T>;
  switch (op.kind.value) {
    case BinaryBackward::mul:
      return backward<T>(op, [](W g, W a, W b) { return std::pair{g * b, g * a}; });
    case BinaryBackward::div:
      return backward<T>(op, [](W g, W a, W b) { return std::pair{g / b, -(g / b) * (a / b)}; });
    case BinaryBackward::maximum:
      return backward<T>(op, [](W g, W a, W b) { return split(g, a, b); });
    case BinaryBackward::minimum:
      return backward<T>(op, [](W g, W a, W b) { return split(g, -a, -b); });
    default:
      return backward<T>(op, [](W g, W a, W b) { return pow_gradients(g, a, b); });
  }
}

}  // namespace

void run(Binary& op, const Context&) {
  if (op.kind.value == Binary::add && op.a.shape() == op.b.shape()) return add_alike(op);
  with_real(op.a.dtype(), [&](auto t) { run_forward<decltype(t)>(op); });
}

void run(BinaryBackward& op, const Context&) {
  with_real(op.a.dtype(), [&](auto t) { run_backward<decltype(t)>(op); });
}

}  // namespace videomae::cpu
