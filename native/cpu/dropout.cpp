// Dropout and drop path: one pass of memory and one uniform number an element, or a row.
#include <cmath>

#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(Dropout& op, const Context&) {
  with_real(op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const PhiloxKey key = philox_step_key(op.key.data<double>(), Dropout::use, static_cast<uint32_t>(op.path));
    const double keep = 1 - op.probability;
    const int64_t count = op.x.elements(), row = op.per_sample && count > 0 ? count / op.x.shape()[0] : 1;
    const auto scale = keep > 0 ? static_cast<wide_t<T>>(1 / keep) : 0;
    const T* x = op.x.data<T>();
    T* y = op.y.data<T>();
    const auto kept = [=](int64_t draw) { return std::floor(keep + philox_uniform(key, draw)) > 0; };
    for_elements(count, [=](int64_t from, int64_t until) {
      for (int64_t i = from; i < until;) {
        const int64_t end = std::min(until, (i / row + 1) * row);
        const bool keeps = kept(i / row);
        for (; i < end; ++i) y[i] = keeps ? convert<T>(widen(x[i]) * scale) : T{};
      }
    });
  });
}

}  // namespace videomae::cpu
