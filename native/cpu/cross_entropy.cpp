// Cross entropy. Each row's loss is summed from x - max - log(sum), small numbers, rather than from the difference of
// the logit and the log-sum-exp, which cancels.
#include "cpu/rows.h"

namespace videomae::cpu {

void run(CrossEntropy& op, const Context& context) {
  with_real(op.logits.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
    const int32_t* target = op.target.data<int32_t>();
    const T smoothing = static_cast<T>(op.smoothing);
    T *losses = static_cast<T*>(context.workspace), *log_sum_exp = op.log_sum_exp.data<T>();
    for_rows(rows, classes, [&](int64_t r) {
      const T* x = op.logits.data<T>() + r * classes;
      const T shift = row_maximum(x, classes), log_sum = std::log(sum_of_exponentials(x, classes, shift));
      losses[r] = (1 - smoothing) * (log_sum - (x[target[r]] - shift));
      if (smoothing > 0)
        losses[r] += smoothing / classes * lane_sum<T>(classes, [=](int64_t i) { return log_sum - (x[i] - shift); });
      log_sum_exp[r] = shift + log_sum;
    });
    *op.loss.data<T>() = lane_sum<T>(rows, [=](int64_t r) { return losses[r]; }) / rows;
  });
}

void run(CrossEntropyBackward& op, const Context&) {
  with_real(op.logits.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
    const int32_t* target = op.target.data<int32_t>();
    const T scale = *op.grad_loss.data<T>() / rows;
    const T on_class = static_cast<T>(1 - op.smoothing), on_every = static_cast<T>(op.smoothing / classes);
    for_rows(rows, classes, [&](int64_t r) {
      const T *x = op.logits.data<T>() + r * classes, log_sum_exp = op.log_sum_exp.data<T>()[r];
      T* grad = op.grad_logits.data<T>() + r * classes;
      for (int64_t i = 0; i < classes; ++i)
        grad[i] = scale * (std::exp(x[i] - log_sum_exp) - on_every - (i == target[r] ? on_class : 0));
    });
  });
}

}  // namespace videomae::cpu
