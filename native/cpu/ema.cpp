// An exponential moving average: one pass of memory.
#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(Ema& op, const Context&) {
  with_wide(op.average.dtype(), [&](auto t) {
    using T = decltype(t);
    const double decay = *op.decay.data<double>();
    for_elements(op.average.elements(),
                 [average = op.average.data<T>(), x = op.x.data<T>(), keep = static_cast<T>(decay),
                  rest = static_cast<T>(1 - decay)](int64_t from, int64_t until) {
                   for (int64_t i = from; i < until; ++i) average[i] = keep * average[i] + rest * x[i];
                 });
  });
}

}  // namespace videomae::cpu
