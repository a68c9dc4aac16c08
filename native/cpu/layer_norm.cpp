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
  const T *x = op.x.data<T>(), *weight = op.weight.data<T>(), *bias = op.bias.data<T>();
  T *y = op.y.data<T>(), *means = op.mean.data<T>(), *rstds = op.rstd.data<T>();
  parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
    for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); ++r) {
      const T* xr = x + r * D;
      T* yr = y + r * D;
      const T mean = lane_sum<T>(D, [&](int64_t i) { return xr[i]; }) / D;
      const T variance = lane_sum<T>(D, [&](int64_t i) { return (xr[i] - mean) * (xr[i] - mean); }) / D;
      const T rstd = 1 / std::sqrt(variance + static_cast<T>(op.eps));
      for (int64_t i = 0; i < D; ++i) yr[i] = (xr[i] - mean) * rstd * weight[i] + bias[i];
      means[r] = mean;
      rstds[r] = rstd;
    }
  });
}

template <class T>
void backward(const LayerNormBackward& op, T* partials) {
  const int64_t D = op.width(), rows = op.rows(), blocks = op.blocks();
  const T *g = op.grad_y.data<T>(), *x = op.x.data<T>(), *weight = op.weight.data<T>();
  const T *means = op.mean.data<T>(), *rstds = op.rstd.data<T>();
  T* grad_x = op.grad_x.data<T>();
  parallel_for(blocks, [&](int64_t block) {
    T *weight_sum = partials + 2 * block * D, *bias_sum = weight_sum + D;
    std::fill(weight_sum, weight_sum + 2 * D, T{0});
    const int64_t from = block * op.rows_per_block, until = std::min(rows, from + op.rows_per_block);
    for (int64_t r = from; r < until; ++r) {
      const T *gr = g + r * D, *xr = x + r * D, mean = means[r], rstd = rstds[r];
      for (int64_t i = 0; i < D; ++i) {
        weight_sum[i] += gr[i] * (xr[i] - mean) * rstd;
        bias_sum[i] += gr[i];
      }
      if (grad_x == nullptr) continue;
      // With n the normalised row and h = g * weight: dx = rstd * (h - mean(h) - n * mean(h * n)).
      const T h = lane_sum<T>(D, [&](int64_t i) { return gr[i] * weight[i]; }) / D;
      const T hn = lane_sum<T>(D, [&](int64_t i) { return gr[i] * weight[i] * (xr[i] - mean); }) * rstd / D;
      T* out = grad_x + r * D;
      for (int64_t i = 0; i < D; ++i) out[i] = rstd * (gr[i] * weight[i] - h - (xr[i] - mean) * rstd * hn);
    }
  });
  for (auto [out, at] : {std::pair{op.grad_weight.data<T>(), 0}, {op.grad_bias.data<T>(), 1}}) {
    if (out == nullptr) continue;
    std::fill(out, out + D, T{0});
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t i = 0; i < D; ++i) out[i] += partials[(2 * block + at) * D + i];
  }
}

}  // namespace

void run(LayerNorm& op, const Context&) {
  with_real(op.x.dtype(), [&](auto t) { forward<decltype(t)>(op); });
}

void run(LayerNormBackward& op, const Context& context) {
  with_real(op.x.dtype(), [&](auto t) { backward<decltype(t)>(op, static_cast<decltype(t)*>(context.workspace)); });
}

}  // namespace videomae::cpu
