// Conversion of a tensor between dtypes: one pass of memory.
#include "cpu/convert.h"
#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(Cast& op, const Context&) {
  with_element(op.x.dtype(), [&](auto from_type) {
    with_element(op.y.dtype, [&](auto to_type) {
      using From = decltype(from_type);
      using To = decltype(to_type);
      const From* x = op.x.data<From>();
      To* y = op.y.data<To>();
      for_elements(op.x.elements(), [=](int64_t from, int64_t until) {
        for (int64_t i = from; i < until; ++i) y[i] = convert<To>(x[i]);
      });
    });
  });
}

}  // namespace videomae::cpu
