// The linear layer on the CPU: one GEMM forward with its epilogue, two backward. What the epilogue did is undone before
// them in one pass: the GELU's derivative is applied to the incoming gradient, into scratch memory, and the gradient of
// the bias is summed on the way. The derivative of a GELU before the layer is the epilogue of the product for gradX;
// what that GELU gave is made again beside it for the weight's gradient.
#include "core/thread_pool.h"
#include "cpu/elementwise.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "cpu/linear_epilogue.h"
#include "cpu/row_kernels.h"

namespace videomae {

namespace {

size_t product_scratch(DType dtype, int64_t m, int64_t n, int64_t k) {
  size_t bytes = 0;
  cpu::with_real(dtype, [&](auto t) { bytes = gemm_workspace<decltype(t)>(m, n, k); });
  return bytes;
}

size_t padded(int64_t elements, DType dtype) { return (static_cast<size_t>(elements) * size_of(dtype) + 63) / 64 * 64; }

/// Where the parts of the backward pass's scratch memory begin.
struct BackwardScratch {
  size_t products, gradient, partials, grad_x, activation, total;

  explicit BackwardScratch(const LinearBackward& op) {
    const int64_t m = op.rows(), n = op.outputs(), k = op.inputs();
    const DType t = op.dtype();
    products = 0;
    gradient = std::max(product_scratch(t, m, k, n), product_scratch(t, n, k, m));
    partials = gradient + (op.preactivation.given() ? padded(m * n, t) : 0);
    grad_x = partials + padded(op.blocks() * std::max(n, op.input_preactivation.given() ? k : 0), wide_of(t));
    activation = grad_x + (op.grad_x.wanted || !op.grad_input_bias.wanted ? 0 : padded(m * k, t));
    total = activation + (op.needs_activation() ? padded(m * k, t) : 0);
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
  g.packed_b = op.packed.data<uint8_t>();
  g.bias = op.bias.data<wide_t<T>>();
  g.residual = op.residual.data<T>();
  g.residual_ld = op.outputs();
  g.gelu = op.gelu;
  g.preactivation = op.preactivation.data<T>();
  gemm(g, scratch);
}

template <class T>
void backward(const LinearBackward& op, char* scratch) {
  using W = wide_t<T>;
  const int64_t m = op.rows(), n = op.outputs(), k = op.inputs();
  const BackwardScratch at(op);
  const T *g = op.grad_y.data<T>(), *pre = op.preactivation.data<T>();
  T* activation = reinterpret_cast<T*>(scratch + at.activation);
  if (pre != nullptr || op.grad_bias.wanted) {
    T* before = reinterpret_cast<T*>(scratch + at.gradient);
    linear_epilogue_backward(EpilogueGradient<T>{m, n, op.rows_per_block, g, pre, before,
                                                 reinterpret_cast<W*>(scratch + at.partials), op.grad_bias.data<W>(),
                                                 op.grad_bias.adds});
    if (pre != nullptr) g = before;
  }
  if (op.needs_grad_x()) {
    T* grad_x = op.grad_x.wanted ? op.grad_x.data<T>() : reinterpret_cast<T*>(scratch + at.grad_x);
    Gemm<T> product{m, k, n, g, n, false, op.weight.data<T>(), k, false, grad_x, k};
    product.gate = op.input_preactivation.data<T>();
    if (op.needs_activation()) product.gate_gelu = activation;
    gemm(product, scratch);
    if (op.grad_input_bias.wanted)
      linear_epilogue_backward(EpilogueGradient<T>{m, k, op.rows_per_block, grad_x, nullptr, nullptr,
                                                   reinterpret_cast<W*>(scratch + at.partials),
                                                   op.grad_input_bias.data<W>(), op.grad_input_bias.adds});
  }
  if (op.grad_weight.wanted) {
    const T* x = op.needs_activation() ? activation : op.x.data<T>();
    if (op.needs_activation() && !op.needs_grad_x())
      for_elements(m * k, [=, before = op.input_preactivation.data<T>(), kernel = row_kernels<T>().gelu](
                              int64_t from, int64_t until) { kernel(until - from, before + from, activation + from); });
    Gemm<T, W> product{n, k, m, g, n, true, x, k, false, op.grad_weight.data<W>(), k};
    product.accumulate = op.grad_weight.adds;
    gemm(product, scratch);
  }
}

}  // namespace

void run(Linear& op, const Context& context) {
  with_real(op.x.dtype(), [&](auto t) { forward<decltype(t)>(op, context.workspace); });
}

void run(LinearBackward& op, const Context& context) {
  with_real(op.dtype(), [&](auto t) { backward<decltype(t)>(op, static_cast<char*>(context.workspace)); });
}

}  // namespace cpu
}  // namespace videomae
