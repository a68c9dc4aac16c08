// The gradient norm on the CPU: one read of the buffer.
#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(GradNorm& op, const Context& context) {
  double* partials = static_cast<double*>(context.workspace);
  const int64_t count = op.x.elements();
  with_wide(op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* x = op.x.data<T>();
    parallel_for(op.blocks(), [&](int64_t b) {
      double lanes[8] = {};
      const int64_t from = b * GradNorm::block, until = std::min(count, from + GradNorm::block);
      for (int64_t i = from; i < until; ++i) lanes[(i - from) % 8] += static_cast<double>(x[i]) * x[i];
      partials[b] = ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
    });
    double sum = 0;
    for (int64_t b = 0; b < op.blocks(); ++b) sum += partials[b];
    *op.y.data<T>() = static_cast<T>(std::sqrt(sum));
  });
}

}  // namespace videomae::cpu
