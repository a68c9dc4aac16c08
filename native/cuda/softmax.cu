// Softmax and log-softmax, a block a row: a row is read out of cache after its first pass.
#include "cuda/rows.cuh"
#include "ops/softmax.h"

namespace videomae::cuda {
namespace {

/// Both, by `logarithm`.
template <class T>
__global__ void softmax_forward(bool logarithm, const T* x, T* y, int64_t width) {
  dependent_launch_begin();
  x += blockIdx.x * width, y += blockIdx.x * width;
  const auto at = [=](int64_t i) { return cuda::to_float(x[i]); };
  const float shift = row_maximum(x, width);
  const float total = row_sum(width, [&](int64_t i) { return expf(at(i) - shift); });
  const float log_total = logf(total);
  for_row(width, [&](int64_t i) {
    y[i] = from_float<T>(logarithm ? at(i) - shift - log_total : expf(at(i) - shift) / total);
  });
}

template <class T>
__global__ void softmax_backward(bool logarithm, const T* grad_y, const T* y, T* grad_x, int64_t width) {
  dependent_launch_begin();
  grad_y += blockIdx.x * width, y += blockIdx.x * width, grad_x += blockIdx.x * width;
  const auto gradient = [=](int64_t i) { return cuda::to_float(grad_y[i]); };
  const auto value = [=](int64_t i) { return cuda::to_float(y[i]); };
  const float along = row_sum(width, [&](int64_t i) { return logarithm ? gradient(i) : gradient(i) * value(i); });
  for_row(width, [&](int64_t i) {
    grad_x[i] = from_float<T>(logarithm ? gradient(i) - expf(value(i)) * along : value(i) * (gradient(i) - along));
  });
}

template <class Op>
void forward(const Op& op, bool logarithm, const Context& context) {
  with_real(op.name, op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t width = op.x.shape()[-1];
    launch_rows(context, softmax_forward<T>, op.x.elements() / width, width, logarithm, op.x.template data<T>(),
                op.y.template data<T>(), width);
  });
}

template <class Op>
void backward(const Op& op, bool logarithm, const Context& context) {
  with_real(op.name, op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t width = op.y.shape()[-1];
    launch_rows(context, softmax_backward<T>, op.y.elements() / width, width, logarithm, op.grad_y.template data<T>(),
                op.y.template data<T>(), op.grad_x.template data<T>(), width);
  });
}

}  // namespace

void run(Softmax& op, const Context& context) { forward(op, false, context); }
void run(SoftmaxBackward& op, const Context& context) { backward(op, false, context); }
void run(LogSoftmax& op, const Context& context) { forward(op, true, context); }
void run(LogSoftmaxBackward& op, const Context& context) { backward(op, true, context); }

size_t workspace(const Softmax&) { return 0; }
size_t workspace(const SoftmaxBackward&) { return 0; }
size_t workspace(const LogSoftmax&) { return 0; }
size_t workspace(const LogSoftmaxBackward&) { return 0; }

}  // namespace videomae::cuda
