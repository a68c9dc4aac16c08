// Packing of a linear layer's weight, once for many products.
#include "cpu/gemm.h"
#include "cpu/kernels.h"

namespace videomae {

int64_t packed_weight_bytes(int64_t outputs, int64_t inputs, DType dtype) {
  int64_t bytes = 0;
  cpu::with_real(dtype, [&](auto t) { bytes = static_cast<int64_t>(packed_b_bytes<decltype(t)>(outputs, inputs)); });
  return bytes;
}

namespace cpu {

void run(PackWeight& op, const Context&) {
  const int64_t outputs = op.weight.shape()[0], inputs = op.weight.shape()[1];
  with_real(op.weight.dtype(), [&](auto t) {
    pack_b(outputs, inputs, op.weight.data<decltype(t)>(), inputs, true, op.packed.data<void>());
  });
}

}  // namespace cpu
}  // namespace videomae
