// Softmax and log-softmax: a row is read out of cache after its first pass, so the cost is the exponentials,
// of which softmax takes two an element: the first ones are only summed, so that a result is rounded once.
#include "cpu/rows.h"

namespace videomae::cpu {

void run(Softmax& op, const Context&) {
  with_real(op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t width = op.x.shape()[-1];
    for_rows(op.x.elements() / width, width, [&](int64_t r) {
      const T* x = op.x.data<T>() + r * width;
      T* y = op.y.data<T>() + r * width;
      const wide_t<T> shift = row_maximum(x, width), total = sum_of_exponentials(x, width, shift);
      for (int64_t i = 0; i < width; ++i) y[i] = convert<T>(std::exp(widen(x[i]) - shift) / total);
    });
  });
}

void run(SoftmaxBackward& op, const Context&) {
  with_real(op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t width = op.y.shape()[-1];
    for_rows(op.y.elements() / width, width, [&](int64_t r) {
      const T *g = op.grad_y.data<T>() + r * width, *y = op.y.data<T>() + r * width;
      T* grad_x = op.grad_x.data<T>() + r * width;
      const auto along = lane_sum<wide_t<T>>(width, [=](int64_t i) { return widen(g[i]) * widen(y[i]); });
      for (int64_t i = 0; i < width; ++i) grad_x[i] = convert<T>(widen(y[i]) * (widen(g[i]) - along));
    });
  });
}

void run(LogSoftmax& op, const Context&) {
  with_real(op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t width = op.x.shape()[-1];
    for_rows(op.x.elements() / width, width, [&](int64_t r) {
      const T* x = op.x.data<T>() + r * width;
      T* y = op.y.data<T>() + r * width;
      const wide_t<T> shift = row_maximum(x, width), log_sum = std::log(sum_of_exponentials(x, width, shift));
      for (int64_t i = 0; i < width; ++i) y[i] = convert<T>(widen(x[i]) - shift - log_sum);
    });
  });
}

void run(LogSoftmaxBackward& op, const Context&) {
  with_real(op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t width = op.y.shape()[-1];
    for_rows(op.y.elements() / width, width, [&](int64_t r) {
      const T *g = op.grad_y.data<T>() + r * width, *y = op.y.data<T>() + r * width;
      T* grad_x = op.grad_x.data<T>() + r * width;
      const auto total = lane_sum<wide_t<T>>(width, [=](int64_t i) { return widen(g[i]); });
      for (int64_t i = 0; i < width; ++i) grad_x[i] = convert<T>(widen(g[i]) - std::exp(widen(y[i])) * total);
    });
  });
}

}  // namespace videomae::cpu
