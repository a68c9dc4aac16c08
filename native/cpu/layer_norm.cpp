// Layer normalisation on the CPU: a row is read twice out of cache (statistics, then output), so the cost is one pass
// of memory. Column sums of the backward pass are taken per block of 64 rows, then over blocks in order.
#include <cmath>

#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "cpu/lane_sum.h"

namespace videomae::cpu {
namespace {

template <class T>
void forward(const LayerNorm& op) {
  const int64_t D = op.width(), rows = op.rows(), piece = rows_per_piece(D);
  using W = wide_t<T>;
  const T *x = op.x.data<T>(), *residual = op.residual.data<T>();
  const W *weight = op.weight.data<W>(), *bias = op.bias.data<W>();
  T *y = op.y.data<T>(), *sum = op.sum.data<T>();
  W *means = op.mean.data<W>(), *rstds = op.rstd.data<W>();
  parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
    for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); ++r) {
      const T* xr = x + r * D;
      T* yr = y + r * D;
      if (residual != nullptr) {
        T* added = sum != nullptr ? sum + r * D : yr;  // what is normalised; y may hold it until it is written
        for (int64_t i = 0; i < D; ++i) added[i] = convert<T>(widen(xr[i]) + widen(residual[r * D + i]));
        xr = added;
      }
      const W mean = lane_sum<W>(D, [&](int64_t i) { return widen(xr[i]); }) / D;
      const auto squared = [&](int64_t i) { return (widen(xr[i]) - mean) * (widen(xr[i]) - mean); };
      const W variance = lane_sum<W>(D, squared) / D;
      const W rstd = 1 / std::sqrt(variance + static_cast<W>(op.eps));
      for (int64_t i = 0; i < D; ++i) yr[i] = convert<T>((widen(xr[i]) - mean) * rstd * weight[i] + bias[i]);
      means[r] = mean;
      rstds[r] = rstd;
    }
  });
}

template <class T, class W = wide_t<T>>
void backward(const LayerNormBackward& op, W* partials) {
  const int64_t D = op.width(), rows = op.rows(), blocks = op.blocks();
  const T *g = op.grad_y.data<T>(), *x = op.x.data<T>(), *grad_sum = op.grad_sum.data<T>();
  const W *weight = op.weight.data<W>(), *means = op.mean.data<W>(), *rstds = op.rstd.data<W>();
  T* grad_x = op.grad_x.data<T>();
  parallel_for(blocks, [&](int64_t block) {
    W *weight_sum = partials + 2 * block * D, *bias_sum = weight_sum + D;
    std::fill(weight_sum, weight_sum + 2 * D, W{0});
    const int64_t from = block * op.rows_per_block, until = std::min(rows, from + op.rows_per_block);
    for (int64_t r = from; r < until; ++r) {
      const T *gr = g + r * D, *xr = x + r * D;
      const W mean = means[r], rstd = rstds[r];
      for (int64_t i = 0; i < D; ++i) {
        weight_sum[i] += widen(gr[i]) * (widen(xr[i]) - mean) * rstd;
        bias_sum[i] += widen(gr[i]);
      }
      if (grad_x == nullptr) continue;
      // With n the normalised row and h = g * weight: dx = rstd * (h - mean(h) - n * mean(h * n)).
      const auto scaled = [&](int64_t i) { return widen(gr[i]) * weight[i]; };
      const auto centred = [&](int64_t i) { return widen(xr[i]) - mean; };
      const W h = lane_sum<W>(D, scaled) / D;
      const W hn = lane_sum<W>(D, [&](int64_t i) { return scaled(i) * centred(i); }) * rstd / D;
      T* out = grad_x + r * D;
      const auto gradient = [&](int64_t i) { return rstd * (scaled(i) - h - centred(i) * rstd * hn); };
      if (grad_sum == nullptr)
        for (int64_t i = 0; i < D; ++i) out[i] = convert<T>(gradient(i));
      else
        for (int64_t i = 0; i < D; ++i) out[i] = convert<T>(gradient(i) + widen(grad_sum[r * D + i]));
    }
  });
  for (auto [out, at] : {std::pair{op.grad_weight.data<W>(), 0}, {op.grad_bias.data<W>(), 1}}) {
    if (out == nullptr) continue;
    std::fill(out, out + D, W{0});
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t i = 0; i < D; ++i) out[i] += partials[(2 * block + at) * D + i];
  }
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
