// Matrix products on the CPU: the batch items one after another, each spread over the threads by gemm().
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "cpu/strided.h"

namespace videomae {

size_t Matmul::workspace(DeviceKind) const {
  size_t bytes = 0;
  cpu::with_real(a.dtype(), [&](auto t) { bytes = gemm_workspace<decltype(t)>(m(), n(), k()); });
  return bytes;
}

namespace cpu {
namespace {

template <class T>
void products(const Matmul& op, void* workspace) {
  const int64_t m = op.m(), n = op.n(), k = op.k();
  const Shape batch = op.batch();
  const StridedWalk<2> walk(batch,
                            {broadcast_strides(op.batch(op.a), batch), broadcast_strides(op.batch(op.b), batch)});
  if (op.y.shape.elements() == 0) return;
  walk(0, batch.elements(), [&](int64_t first, int64_t length, const std::array<int64_t, 2>& at) {
    for (int64_t i = 0; i < length; ++i) {
      Gemm<T> product{m, n, k};
      product.a = op.a.data<T>() + (at[0] + i * walk.step(0)) * m * k;
      product.lda = op.transpose_a ? m : k;
      product.a_transposed = op.transpose_a;
      product.b = op.b.data<T>() + (at[1] + i * walk.step(1)) * k * n;
      product.ldb = op.transpose_b ? k : n;
      product.b_transposed = op.transpose_b;
      product.c = op.y.data<T>() + (first + i) * m * n;
      product.ldc = n;
      gemm(product, workspace);
    }
  });
}

}  // namespace

void run(Matmul& op, const Context& context) {
  with_real(op.a.dtype(), [&](auto t) { products<decltype(t)>(op, context.workspace); });
}

}  // namespace cpu
}  // namespace videomae
