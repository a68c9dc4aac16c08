// In-place addition: one pass of memory.
#include "core/thread_pool.h"
#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(Accumulate& op, const Context&) {
  with_real(op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    T* y = op.y.data<T>();
    const T* x = op.x.data<T>();
    for_elements(op.y.elements(), [=](int64_t from, int64_t until) {
      for (int64_t i = from; i < until; ++i) y[i] += x[i];
    });
  });
}

}  // namespace videomae::cpu
