// Products of matrices on a GPU: runs of batch items whose operands lie evenly apart are one launch each, so that only
// operands that broadcast over an inner axis take several.
#include "cuda/gemm.h"
#include "cuda/kernels.h"
#include "ops/matmul.h"

namespace videomae::cuda {
namespace {

/// Items apart along an axis of the batch, of an operand with the batch axes `own`.
int64_t step_along(const Shape& own, const Shape& batch, int axis) {
  const int at = axis - batch.rank() + own.rank();
  return at < 0 || own[at] == 1 ? 0 : own.product(at + 1, own.rank());
}

/// The last axes of the batch that both operands cross in even steps, as one.
struct EvenRun {
  int first_axis;  // the axes from here on
  int64_t length = 1, a_step = 0, b_step = 0;

  EvenRun(const Shape& batch, const Shape& a, const Shape& b) : first_axis(batch.rank()) {
    for (int axis = batch.rank() - 1; axis >= 0; --axis) {
      const int64_t a_next = step_along(a, batch, axis), b_next = step_along(b, batch, axis);
      if (batch[axis] != 1) {
        if (length > 1 && (a_next != a_step * length || b_next != b_step * length)) return;
        if (length == 1) a_step = a_next, b_step = b_next;
        length *= batch[axis];
      }
      first_axis = axis;
    }
  }
};

/// A run's product, without its pointers.
Gemm product_of(const Matmul& op, const EvenRun& run) {
  const int64_t m = op.m(), n = op.n(), k = op.k();
  Gemm g{op.a.dtype(), m, n, k};
  g.lda = op.transpose_a ? m : k, g.a_transposed = op.transpose_a;
  g.ldb = op.transpose_b ? k : n, g.b_transposed = op.transpose_b;
  g.ldc = n, g.c_dtype = op.y.dtype;
  g.batch = run.length, g.a_step = run.a_step * m * k, g.b_step = run.b_step * k * n, g.c_step = m * n;
  return g;
}

}  // namespace

size_t workspace(const Matmul& op) {
  const EvenRun run(op.batch(), Matmul::batch(op.a), Matmul::batch(op.b));
  return gemm_workspace(product_of(op, run), After::nothing);
}

void run(Matmul& op, const Context& context) {
  const Shape batch = op.batch(), a = Matmul::batch(op.a), b = Matmul::batch(op.b);
  if (op.y.shape.elements() == 0) return;
  const EvenRun run(batch, a, b);
  const size_t size = size_of(op.a.dtype());
  for (int64_t first = 0; first < batch.elements(); first += run.length) {
    int64_t a_item = 0, b_item = 0;
    for (int64_t axis = run.first_axis - 1, rest = first / run.length; axis >= 0; --axis) {
      const int64_t index = rest % batch[axis];
      rest /= batch[axis];
      a_item += index * step_along(a, batch, axis), b_item += index * step_along(b, batch, axis);
    }
    Gemm g = product_of(op, run);
    g.a = op.a.data<char>() + a_item * g.m * g.k * size;
    g.b = op.b.data<char>() + b_item * g.k * g.n * size;
    g.c = op.y.data<char>() + first * g.m * g.n * size;
    gemm(context, g, context.workspace);
  }
}

}  // namespace videomae::cuda
