// Exchange of contents: one pass of memory.
#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(Exchange& op, const Context&) {
  with_real(op.a.dtype(), [&](auto t) {
    using T = decltype(t);
    for_elements(op.a.elements(), [a = op.a.data<T>(), b = op.b.data<T>()](int64_t from, int64_t until) {
      std::swap_ranges(a + from, a + until, b + from);
    });
  });
}

}  // namespace videomae::cpu
