// Cross entropy. Each row's loss is summed from x - max - log(sum), small numbers, rather than from the difference of
// the logit and the log-sum-exp, which cancels.
#include "cpu/rows.h"

namespace videomae::cpu {

void run(CrossEntropy& op, const Context& context) {
  with_real(op.logits.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
    const int32_t* target = op.target.data<int32_t>();
    using W = wide_t<T>;
    const W smoothing = static_cast<W>(op.smoothing);
    W *losses = static_cast<W*>(context.workspace), *log_sum_exp = op.log_sum_exp.data<W>();
    for_rows(rows, classes, [&](int64_t r) {
      const T* x = op.logits.data<T>() + r * classes;
      const W shift = row_maximum(x, classes), log_sum = std::log(sum_of_exponentials(x, classes, shift));
      losses[r] = (1 - smoothing) * (log_sum - (widen(x[target[r]]) - shift));
      if (smoothing > 0) {
        const auto surprise = [=](int64_t i) { return log_sum - (widen(x[i]) - shift); };
        losses[r] += smoothing / classes * lane_sum<W>(classes, surprise);
      }
      log_sum_exp[r] = shift + log_sum;
    });
    *op.loss.data<W>() = lane_sum<W>(rows, [=](int64_t r) { return losses[r]; }) / rows;
  });
}

void run(CrossEntropyBackward& op, const Context&) {
  with_real(op.logits.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t rows = op.logits.shape()[0], classes = op.logits.shape()[1];
    const int32_t* target = op.target.data<int32_t>();
    using W = wide_t<T>;
    const W scale = *op.grad_loss.data<W>() / rows;
    const W on_class = static_cast<W>(1 - op.smoothing), on_every = static_cast<W>(op.smoothing / classes);
    for_rows(rows, classes, [&](int64_t r) {
      const T* x = op.logits.data<T>() + r * classes;
      const W log_sum_exp = op.log_sum_exp.data<W>()[r];
      T* grad = op.grad_logits.data<T>() + r * classes;
      for (int64_t i = 0; i < classes; ++i)
        grad[i] =
            convert<T>(scale * (std::exp(widen(x[i]) - log_sum_exp) - on_every - (i == target[r] ? on_class : 0)));
    });
  });
}

}  // namespace videomae::cpu
