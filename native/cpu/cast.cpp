// Conversion of a tensor between dtypes: one pass of memory.
#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(Cast& op, const Context&) {
  with_element(op.x.dtype(), [&](auto from_type) {
    with_element(op.y.dtype, [&](auto to_type) {
      convert_elements<decltype(from_type), decltype(to_type)>(op.x.tensor, op.y.tensor);
    });
  });
}

}  // namespace videomae::cpu
