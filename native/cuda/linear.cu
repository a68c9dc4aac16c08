// The linear layer on a GPU: one product forward with its epilogue; backward one pass over the gradient, which goes
// through the GELU and is summed by columns on the way, and two products.
#include "cuda/column_sums.cuh"
#include "cuda/gemm.h"
#include "cuda/kernels.h"

namespace videomae::cuda {
namespace {

size_t padded(size_t bytes) { return (bytes + 255) / 256 * 256; }

Gemm forward_product(const Linear& op) {
  Gemm g{op.x.dtype(),        op.rows(),   op.outputs(), op.inputs(),      op.x.tensor.data(), op.inputs(), false,
         op.weight.tensor.data(), op.inputs(), true,         op.y.dtype, op.y.tensor.data(), op.outputs()};
  g.bias = op.bias.data<float>();
  g.gelu = op.gelu;
  if (op.preactivation.wanted) g.preactivation = op.preactivation.tensor.data();
  if (op.residual.given()) {
    g.residual = op.residual.tensor.data(), g.residual_dtype = op.residual.dtype(), g.residual_ld = op.outputs();
  }
  return g;
}

/// gradX = gradY W.
Gemm input_product(const LinearBackward& op, const void* grad) {
  return {op.x.dtype(), op.rows(), op.inputs(), op.outputs(), grad, op.outputs(), false, op.weight.tensor.data(),
          op.inputs(), false, op.grad_x.dtype, op.grad_x.tensor.data(), op.inputs()};
}

/// gradWeight = gradY^T x.
Gemm weight_product(const LinearBackward& op, const void* grad) {
  return {op.x.dtype(), op.outputs(), op.inputs(), op.rows(), grad, op.outputs(), true, op.x.tensor.data(),
          op.inputs(), false, op.grad_weight.dtype, op.grad_weight.tensor.data(), op.inputs()};
}

/// Where the parts of the backward pass's scratch memory begin.
struct BackwardScratch {
  size_t gradient, partials, total;

  explicit BackwardScratch(const LinearBackward& op) {
    const size_t m = static_cast<size_t>(op.rows()), n = static_cast<size_t>(op.outputs());
    gradient = std::max(gemm_workspace(input_product(op, nullptr)), gemm_workspace(weight_product(op, nullptr)));
    partials = gradient + (op.preactivation.given() ? padded(m * n * size_of(op.x.dtype())) : 0);
    total = partials + padded(static_cast<size_t>(op.blocks()) * n * sizeof(float));
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
    start_gradient_rows(context,
                        GradientRows<T>{gradient, pre, before, partials, static_cast<int>(m), static_cast<int>(n), quads});
  }
  if (op.grad_bias.wanted && n > 0) start_add_partial_rows(context, partials, op.blocks(), n, op.grad_bias.data<float>());
}

}  // namespace

size_t workspace(const Linear& op) { return gemm_workspace(forward_product(op)); }
size_t workspace(const LinearBackward& op) { return BackwardScratch(op).total; }

void run(Linear& op, const Context& context) { gemm(context, forward_product(op), context.workspace); }

void run(LinearBackward& op, const Context& context) {
  char* const scratch = static_cast<char*>(context.workspace);
  const BackwardScratch at(op);
  const void* gradient = op.grad_y.tensor.data();
  if (op.preactivation.given() || op.grad_bias.wanted) {
    void* const before = op.preactivation.given() ? scratch + at.gradient : nullptr;
    float* const partials = reinterpret_cast<float*>(scratch + at.partials);
    if (op.x.dtype() == DType::bf16)
      through_epilogue<bf16>(op, context, static_cast<bf16*>(before), partials);
    else
      through_epilogue<float>(op, context, static_cast<float*>(before), partials);
    if (before) gradient = before;
  }
  if (op.grad_x.wanted) gemm(context, input_product(op, gradient), scratch);
  if (op.grad_weight.wanted) gemm(context, weight_product(op, gradient), scratch);
}

}  // namespace videomae::cuda
