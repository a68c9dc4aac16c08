// Cross entropy, a block a row, then one block for the mean. Each row's loss is summed from x - max - log(sum), small
// numbers, rather than from the difference of the logit and the log-sum-exp, which cancels. A row whose class number is
// out of range has NaN as its loss and no part in the gradient.
#include "cuda/checked_index.cuh"
#include "cuda/rows.cuh"
#include "ops/cross_entropy.h"

namespace videomae::cuda {
namespace {

template <class T>
__global__ void cross_entropy_rows(const T* logits, const int32_t* target, int64_t classes, float smoothing,
                                   float* losses, float* log_sum_exp, IndexCheck check) {
  dependent_launch_begin();
  const int64_t row = blockIdx.x;
  const T* x = logits + row * classes;
  const auto at = [=](int64_t i) { return cuda::to_float(x[i]); };
  const float shift = row_maximum(x, classes);
  const float log_sum = logf(row_sum(classes, [&](int64_t i) { return expf(at(i) - shift); }));
  const float spread = smoothing > 0 ? row_sum(classes, [&](int64_t i) { return log_sum - (at(i) - shift); }) : 0.0f;
  if (threadIdx.x != 0) return;
  const int64_t number = check(target[row], classes);
  const float on_class = number >= 0 ? log_sum - (at(number) - shift) : NAN;
  losses[row] = (1 - smoothing) * on_class + smoothing / static_cast<float>(classes) * spread;
  log_sum_exp[row] = shift + log_sum;
}

__global__ void cross_entropy_mean(const float* losses, int64_t rows, float* loss) {
  dependent_launch_begin();
  const float sum = row_sum(rows, [=](int64_t i) { return losses[i]; });
  if (threadIdx.x == 0) *loss = sum / static_cast<float>(rows);
}

template <class T>
__global__ void cross_entropy_backward(const float* grad_loss, const T* logits, const int32_t* target,
                                       const float* log_sum_exp, float smoothing, T* grad_logits, int64_t classes,
                                       IndexCheck check) {
  dependent_launch_begin();
  const int64_t row = blockIdx.x;
  const T* x = logits + row * classes;
  T* gradient = grad_logits + row * classes;
  const int64_t number = check(target[row], classes);
  const float scale = number >= 0 ? *grad_loss / static_cast<float>(gridDim.x) : 0.0f;
  const float on_class = 1 - smoothing, on_every = smoothing / static_cast<float>(classes);
  for_row(classes, [&](int64_t i) {
    const float probability = expf(cuda::to_float(x[i]) - log_sum_exp[row]);
    gradient[i] = from_float<T>(scale * (probability - on_every - (i == number ? on_class : 0.0f)));
  });
}

}  // namespace

void run(CrossEntropy& op, const Context& context) {
  const int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
  float* losses = static_cast<float*>(context.workspace);
  with_real(op.name, op.logits.dtype(), [&](auto t) {
    using T = decltype(t);
    launch_rows(context, cross_entropy_rows<T>, rows, classes, op.logits.data<T>(), op.target.data<int32_t>(), classes,
                static_cast<float>(op.smoothing), losses, op.log_sum_exp.data<float>(), IndexCheck::of(op, context));
  });
  launch_rows(context, cross_entropy_mean, 1, rows, losses, rows, op.loss.data<float>());
}

void run(CrossEntropyBackward& op, const Context& context) {
  const int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
  with_real(op.name, op.logits.dtype(), [&](auto t) {
    using T = decltype(t);
    launch_rows(context, cross_entropy_backward<T>, rows, classes, op.grad_loss.data<float>(), op.logits.data<T>(),
                op.target.data<int32_t>(), op.log_sum_exp.data<float>(), static_cast<float>(op.smoothing),
                op.grad_logits.data<T>(), classes, IndexCheck::of(op, context));
  });
}

size_t workspace(const CrossEntropy& op) { return static_cast<size_t>(op.logits.shape()[0]) * sizeof(float); }
size_t workspace(const CrossEntropyBackward&) { return 0; }

}  // namespace videomae::cuda
