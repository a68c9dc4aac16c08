// Layer normalisation on the CPU: one pass of memory. Column sums of the backward pass are taken per block of 64 rows,
// then over blocks in order.
#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "cpu/partial_sums.h"
#include "cpu/row_kernels.h"

namespace videomae::cpu {
namespace {

template <class T>
void forward(const LayerNorm& op) {
  using W = wide_t<T>;
  const LayerNormRows<T> rows{op.width(),        op.x.data<T>(),   op.residual.data<T>(), op.weight.data<W>(),
                              op.bias.data<W>(), op.eps,           op.y.data<T>(),        op.sum.data<T>(),
                              op.mean.data<W>(), op.rstd.data<W>()};
  const int64_t count = op.rows(), piece = rows_per_piece(op.width());
  parallel_for((count + piece - 1) / piece, [&, kernel = row_kernels<T>().layer_norm](int64_t p) {
    kernel(rows, p * piece, std::min(count, (p + 1) * piece));
  });
}

template <class T, class W = wide_t<T>>
void backward(const LayerNormBackward& op, W* partials) {
  const int64_t D = op.width(), count = op.rows(), blocks = op.blocks();
  const LayerNormGradientRows<T> rows{D,
                                      op.grad_y.data<T>(),
                                      op.x.data<T>(),
                                      op.grad_sum.data<T>(),
                                      op.weight.data<W>(),
                                      op.mean.data<W>(),
                                      op.rstd.data<W>(),
                                      op.grad_x.data<T>()};
  parallel_for(blocks, [&, kernel = row_kernels<T>().layer_norm_gradient](int64_t block) {
    W* sums = partials + 2 * block * D;
    std::fill(sums, sums + 2 * D, W{0});
    const int64_t from = block * op.rows_per_block;
    kernel(rows, from, std::min(count, from + op.rows_per_block), sums, sums + D);
  });
  const auto add_up = [&](const AddedOut& y, const W* sums) {
    if (y.wanted) add_up_rows(blocks, D, sums, 2 * D, y.data<W>(), y.adds);
  };
  add_up(op.grad_weight, partials), add_up(op.grad_bias, partials + D);
}

}  // namespace

void run(LayerNorm& op, const Context&) {
  with_real(op.x.dtype(), [&](auto t) { forward<decltype(t)>(op); });
}

void run(LayerNormBackward& op, const Context& context) {
  with_real(op.x.dtype(),
            [&](auto t) { backward<decltype(t)>(op, static_cast<wide_t<decltype(t)>*>(context.workspace)); });
}

}  // namespace videomae::cpu
