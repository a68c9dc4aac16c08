// The gradient norm on the CPU: one read of the buffer.
#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "cpu/row_kernels.h"

namespace videomae::cpu {

void run(GradNorm& op, const Context& context) {
  double* partials = static_cast<double*>(context.workspace);
  const int64_t count = op.x.elements();
  with_wide(op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* x = op.x.data<T>();
    parallel_for(op.blocks(), [&, kernel = parameter_kernels<T>().sum_of_squares](int64_t b) {
      const int64_t from = b * GradNorm::block;
      partials[b] = kernel(std::min(count, from + GradNorm::block) - from, x + from);
    });
    double sum = 0;
    for (int64_t b = 0; b < op.blocks(); ++b) sum += partials[b];
    *op.y.data<T>() = static_cast<T>(std::sqrt(sum));
  });
}

}  // namespace videomae::cpu
