// Filling with one value, converted to the dtype by the rules of cast.
#include <algorithm>

#include "core/convert.h"
#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(Fill& op, const Context&) {
  with_element(op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    const T value = convert<T>(op.value);
    T* y = op.y.data<T>();
    for_elements(op.y.elements(), [=](int64_t from, int64_t until) { std::fill(y + from, y + until, value); });
  });
}

}  // namespace videomae::cpu
