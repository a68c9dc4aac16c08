// The linear layer on the CPU: one GEMM forward with its epilogue, two backward. The GELU derivative is applied to the
// incoming gradient once, into scratch memory, and the bias gradient is summed on the way.
#include "core/thread_pool.h"
#include "cpu/activation.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "cpu/widened.h"

namespace videomae {

namespace {

size_t product_scratch(DType dtype, int64_t m, int64_t n, int64_t k) {
  const size_t bytes = dtype == DType::f64 ? gemm_workspace<double>(m, n, k) : gemm_workspace<float>(m, n, k);
  return (bytes + 63) / 64 * 64;
}

size_t padded(int64_t elements, DType dtype) { return (static_cast<size_t>(elements) * size_of(dtype) + 63) / 64 * 64; }

/// Where the parts of the backward pass's scratch memory begin.
struct BackwardScratch {
  size_t products, gradient, partials, total;

  explicit BackwardScratch(const LinearBackward& op) {
    const int64_t m = op.rows(), n = op.outputs(), k = op.inputs();
    const DType t = wide_of(op.x.dtype());
    products = 0;
    gradient = std::max(product_scratch(t, m, k, n), product_scratch(t, n, k, m));
    partials = gradient + (op.preactivation.given() ? padded(m * n, t) : 0);
    total = partials + padded(op.blocks() * n, t);
  }
};

}  // namespace

size_t Linear::workspace(DeviceKind) const { return product_scratch(x.dtype(), rows(), outputs(), inputs()); }
size_t LinearBackward::workspace(DeviceKind) const { return BackwardScratch(*this).total; }

namespace cpu {
namespace {

template <class T>
void forward(const Linear& op, void* scratch) {
  Gemm<T> g{op.rows(),           op.outputs(), op.inputs(), op.x.data<T>(), op.inputs(), false,
            op.weight.data<T>(), op.inputs(),  true,        op.y.data<T>(), op.outputs()};
  g.bias = op.bias.data<T>();
  g.residual = op.residual.data<T>();
  g.residual_ld = op.outputs();
  g.gelu = op.gelu;
  g.preactivation = op.preactivation.data<T>();
  gemm(g, scratch);
}

/// Column sums of `gradient` into `out`, and with `pre` the gradient before the GELU into `before`; one pass.
template <class T>
void through_epilogue(const LinearBackward& op, const T* gradient, const T* pre, T* before, T* partials, T* out) {
  const int64_t m = op.rows(), n = op.outputs(), blocks = op.blocks();
  parallel_for(blocks, [&](int64_t block) {
    T* sum = partials + block * n;
    std::fill(sum, sum + n, T{0});
    for (int64_t r = block * op.rows_per_block; r < std::min(m, (block + 1) * op.rows_per_block); ++r) {
      const T* g = gradient + r * n;
      if (pre != nullptr) {
        gelu_backward<T>(n, pre + r * n, g, before + r * n);
        g = before + r * n;
      }
      for (int64_t i = 0; i < n; ++i) sum[i] += g[i];
    }
  });
  if (out == nullptr) return;
  std::fill(out, out + n, T{0});
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t i = 0; i < n; ++i) out[i] += partials[block * n + i];
}

template <class T>
void backward(const LinearBackward& op, char* scratch) {
  const int64_t m = op.rows(), n = op.outputs(), k = op.inputs();
  const BackwardScratch at(op);
  const T *g = op.grad_y.data<T>(), *pre = op.preactivation.data<T>();
  T* before = reinterpret_cast<T*>(scratch + at.gradient);
  if (pre != nullptr || op.grad_bias.wanted)
    through_epilogue<T>(op, g, pre, before, reinterpret_cast<T*>(scratch + at.partials), op.grad_bias.data<T>());
  if (pre != nullptr) g = before;
  if (op.grad_x.wanted)
    gemm(Gemm<T>{m, k, n, g, n, false, op.weight.data<T>(), k, false, op.grad_x.data<T>(), k}, scratch);
  if (op.grad_weight.wanted)
    gemm(Gemm<T>{n, k, m, g, n, true, op.x.data<T>(), k, false, op.grad_weight.data<T>(), k}, scratch);
}

}  // namespace

void run(Linear& op, const Context& context) {
  if (op.x.dtype() == DType::bf16) return run_widened(op, context);
  with_wide(op.x.dtype(), [&](auto t) { forward<decltype(t)>(op, context.workspace); });
}

void run(LinearBackward& op, const Context& context) {
  if (op.x.dtype() == DType::bf16) return run_widened(op, context);
  with_wide(op.x.dtype(), [&](auto t) { backward<decltype(t)>(op, static_cast<char*>(context.workspace)); });
}

}  // namespace cpu
}  // namespace videomae
