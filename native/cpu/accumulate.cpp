// In-place addition: one pass of memory.
#include "core/thread_pool.h"
#include "cpu/elementwise.h"
#include "cpu/kernels.h"
#include "cpu/row_kernels.h"

namespace videomae::cpu {

void run(Accumulate& op, const Context&) {
  with_real(op.y.dtype(), [&](auto of_y) {
    with_real(op.x.dtype(), [&](auto of_x) {
      using Y = decltype(of_y);
      using X = decltype(of_x);
      Y* y = op.y.data<Y>();
      const X* x = op.x.data<X>();
      for_elements(op.y.elements(), [=, kernel = row_kernels<Y>().add](int64_t from, int64_t until) {
        if constexpr (std::is_same_v<X, Y>) return kernel(until - from, y + from, x + from, y + from);
        for (int64_t i = from; i < until; ++i) y[i] = convert<Y>(widen(y[i]) + convert<wide_t<Y>>(x[i]));
      });
    });
  });
}

}  // namespace videomae::cpu
