// The linear layer on a GPU: one product forward with its epilogue; backward one pass over the gradient, which goes
// through the GELU and is summed by columns on the way, and two products, of which that for gradX has the GELU before
// the layer in its epilogue. What that GELU gave is made again for the weight's gradient.
#include "cuda/column_sums.cuh"
#include "cuda/gemm.h"
#include "cuda/unary.cuh"
#include "ops/linear.h"

namespace videomae::cuda {
namespace {

size_t padded(size_t bytes) { return (bytes + 255) / 256 * 256; }

/// x W^T, without its pointers, which are not there yet when the workspace is asked for.
Gemm forward_product(const Linear& op) {
  Gemm g{op.x.dtype(), op.rows(), op.outputs(), op.inputs()};
  g.lda = op.inputs();
  g.ldb = op.inputs(), g.b_transposed = true;
  g.ldc = op.outputs(), g.c_dtype = op.y.dtype;
  return g;
}

/// gradX = gradY W, likewise.
Gemm input_product(const LinearBackward& op) {
  Gemm g{op.dtype(), op.rows(), op.inputs(), op.outputs()};
  g.lda = op.outputs();
  g.ldb = op.inputs();
  g.ldc = op.inputs(), g.c_dtype = op.grad_x.dtype;
  return g;
}

/// gradWeight = gradY^T x, likewise.
Gemm weight_product(const LinearBackward& op) {
  Gemm g{op.dtype(), op.outputs(), op.inputs(), op.rows()};
  g.lda = op.outputs(), g.a_transposed = true;
  g.ldb = op.inputs();
  g.ldc = op.inputs(), g.c_dtype = op.grad_weight.dtype, g.accumulate = op.grad_weight.adds;
  return g;
}

/// What follows the product for gradX.
After after_input_product(const LinearBackward& op) {
  if (!op.input_preactivation.given()) return After::nothing;
  return op.grad_input_bias.wanted ? After::column_sums : After::steps;
}

/// Where the parts of the backward pass's scratch memory begin.
struct BackwardScratch {
  size_t gradient, partials, grad_x, activation, total;

  explicit BackwardScratch(const LinearBackward& op) {
    const size_t m = static_cast<size_t>(op.rows()), n = static_cast<size_t>(op.outputs());
    const size_t input = padded(m * static_cast<size_t>(op.inputs()) * size_of(op.dtype()));
    gradient = std::max(gemm_workspace(input_product(op), after_input_product(op)),
                        gemm_workspace(weight_product(op), After::nothing));
    partials = gradient + (op.preactivation.given() ? padded(m * n * size_of(op.dtype())) : 0);
    grad_x = partials + padded(static_cast<size_t>(op.blocks()) * n * sizeof(float));
    const bool unwanted = op.grad_input_bias.wanted && !op.grad_x.wanted;  // and yet to be computed
    activation = grad_x + (unwanted ? input : 0);
    total = activation + (op.needs_activation() ? input : 0);
  }
};

/// Column sums of gradY, and with a pre-activation the gradient before the GELU.
template <class T>
void through_epilogue(const LinearBackward& op, const Context& context, T* before, float* partials) {
  const int64_t m = op.rows(), n = op.outputs();
  static_assert(LinearBackward::rows_per_block == kSumRows);
  const T *gradient = op.grad_y.data<T>(), *pre = op.preactivation.data<T>();
  if (m > 0 && n > 0) {
    const bool quads = whole_quads(gradient, n) && whole_quads(pre, n) && whole_quads(before, n);
    start_gradient_rows(
        context, GradientRows<T>{gradient, pre, before, partials, static_cast<int>(m), static_cast<int>(n), quads});
  }
  if (op.grad_bias.wanted && n > 0)
    start_add_partial_rows(context, partials, op.blocks(), n, op.grad_bias.data<float>(), op.grad_bias.adds);
}

}  // namespace

size_t workspace(const Linear& op) {
  const bool plain = !op.bias.given() && !op.residual.given() && !op.gelu;
  return gemm_workspace(forward_product(op), plain ? After::nothing : After::steps);
}
size_t workspace(const LinearBackward& op) { return BackwardScratch(op).total; }

void run(Linear& op, const Context& context) {
  Gemm g = forward_product(op);
  g.a = op.x.tensor.data(), g.b = op.weight.tensor.data(), g.c = op.y.tensor.data();
  g.bias = op.bias.data<float>();
  g.gelu = op.gelu;
  g.preactivation = op.preactivation.data<void>();
  g.residual = op.residual.data<void>(), g.residual_dtype = op.x.dtype(), g.residual_ld = op.outputs();
  gemm(context, g, context.workspace);
}

void run(LinearBackward& op, const Context& context) {
  char* const scratch = static_cast<char*>(context.workspace);
  const BackwardScratch at(op);
  const void* gradient = op.grad_y.tensor.data();
  if (op.preactivation.given() || op.grad_bias.wanted) {
    void* const before = op.preactivation.given() ? scratch + at.gradient : nullptr;
    float* const partials = reinterpret_cast<float*>(scratch + at.partials);
    with_real(op.name, op.dtype(),
              [&](auto t) { through_epilogue<decltype(t)>(op, context, static_cast<decltype(t)*>(before), partials); });
    if (before) gradient = before;
  }
  if (op.needs_grad_x()) {
    Gemm g = input_product(op);
    g.a = gradient, g.b = op.weight.tensor.data();
    g.c = op.grad_x.wanted ? op.grad_x.tensor.data() : scratch + at.grad_x;
    g.gate = op.input_preactivation.data<void>(), g.column_sums = op.grad_input_bias.data<float>();
    g.accumulate_sums = op.grad_input_bias.adds;
    gemm(context, g, scratch);
  }
  if (op.grad_weight.wanted) {
    Gemm g = weight_product(op);
    g.a = gradient, g.b = op.x.data<void>(), g.c = op.grad_weight.tensor.data();
    if (op.needs_activation()) {
      start_unary(context, UnaryKind::gelu, op.dtype(), op.input_preactivation.tensor.data(), scratch + at.activation,
                  op.input().elements());
      g.b = scratch + at.activation;
    }
    gemm(context, g, scratch);
  }
}

}  // namespace videomae::cuda
