// The pre-training loss on the CPU. A token's target is built in a small buffer in f64 (its pixels are few, its
// variance must not cancel), compared with its row of the prediction, and forgotten.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

/// byte / 255
const std::array<double, 256> quotients = [] {
  std::array<double, 256> table;
  for (int byte = 0; byte < 256; ++byte) table[byte] = byte / 255.0;
  return table;
}();

/// Writes the pixels of token n of clip b, as parts of 1: columns (dt, dy, dx, channel).
void read_pixels(const TokenGrid& g, const In& video, int64_t b, int64_t n, double* pixels) {
  const auto read = [&](auto value) {
    const int64_t stride = g.pixel_stride(b);
    double* out = pixels;
    for (int64_t dt = 0; dt < g.tubelet; ++dt)
      for (int64_t dy = 0; dy < g.patch; ++dy) {
        int64_t from[3];
        for (int64_t c = 0; c < 3; ++c) from[c] = g.offset(b, n, c, dt, dy, 0);
        for (int64_t x = 0; x < g.patch; ++x, out += 3)
          for (int64_t c = 0; c < 3; ++c) out[c] = value(from[c] + x * stride, c);
      }
  };
  if (g.bytes)
    read([bytes = video.data<uint8_t>()](int64_t i, int64_t) { return quotients[bytes[i]]; });
  else if (video.dtype() == DType::f64)
    read([x = video.data<double>()](int64_t i, int64_t c) { return x[i] * channel_std[c] + channel_mean[c]; });
  else
    read([x = video.data<float>()](int64_t i, int64_t c) { return x[i] * channel_std[c] + channel_mean[c]; });
}

constexpr int64_t kSums = 12;  // that run side by side: four pixels of three channels
using Sums = std::array<double, kSums>;

/// What term(element, its place in a row of kSums) adds up to for each channel, repeated for the places of a row.
template <class F>
Sums channel_sums(int64_t count, const double* x, F term) {
  Sums sums{};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums)
    for (int64_t j = 0; j < kSums; ++j) sums[j] += term(x[i + j], j);
  for (int64_t j = 0; i + j < count; ++j) sums[j] += term(x[i + j], j);
  for (int64_t c = 0; c < 3; ++c) sums[c] = (sums[c] + sums[c + 3]) + (sums[c + 6] + sums[c + 9]);
  for (int64_t j = 3; j < kSums; ++j) sums[j] = sums[j - 3];
  return sums;
}

/// Writes the target of token n of clip b: columns (dt, dy, dx, channel).
void build_target(const TokenGrid& g, const In& video, int64_t b, int64_t n, bool normalize, double* target) {
  read_pixels(g, video, b, n, target);
  if (!normalize) return;
  const int64_t pixels = g.pixels(), count = 3 * pixels;
  Sums mean = channel_sums(count, target, [](double x, int64_t) { return x; });
  for (double& m : mean) m /= pixels;
  Sums scale = channel_sums(count, target, [&](double x, int64_t j) { return (x - mean[j]) * (x - mean[j]); });
  for (double& s : scale) s = 1 / (std::sqrt(s / (pixels - 1)) + 1e-6);
  for (int64_t i = 0; i < count; i += kSums)
    for (int64_t j = 0; j < std::min(kSums, count - i); ++j) target[i + j] = (target[i + j] - mean[j]) * scale[j];
}

/// Marks, in a (B, N) map, the tokens that the encoder saw.
const uint8_t* mark_visible(const PixelLossOperands& op, const TokenGrid& g, void* scratch) {
  uint8_t* seen = static_cast<uint8_t*>(scratch);
  std::fill_n(seen, g.batch * g.tokens(), uint8_t{0});
  const int64_t count = op.visible.shape()[1];
  for (int64_t i = 0; i < op.visible.elements(); ++i) seen[i / count * g.tokens() + op.visible.data<int32_t>()[i]] = 1;
  return seen;
}

/// Calls body(row, hidden, target) for every reconstructed token.
template <class F>
void for_tokens(const PixelLossOperands& op, const TokenGrid& g, const uint8_t* seen, F body) {
  const int64_t count = op.decoded.shape()[1];
  parallel_for(op.rows(), [&](int64_t row) {
    const int64_t b = row / count, n = op.decoded.data<int32_t>()[row];
    thread_local std::vector<double> target;
    target.resize(3 * g.pixels());
    build_target(g, op.video, b, n, op.normalize, target.data());
    body(row, seen[b * g.tokens() + n] == 0, target.data());
  });
}

template <class T>
void forward(const MaskedPixelLoss& op, void* scratch) {
  const TokenGrid g = op.grid(op.name);
  const int64_t columns = 3 * g.pixels(), count = op.decoded.shape()[1];
  double* losses = static_cast<double*>(scratch);
  const uint8_t* seen = mark_visible(op, g, losses + op.rows());
  const T* prediction = op.prediction.data<T>();
  for_tokens(op, g, seen, [&](int64_t row, bool, const double* target) {
    double sum = 0;
    for (int64_t i = 0; i < columns; ++i) {
      const double d = widen(prediction[row * columns + i]) - target[i];
      sum += d * d;
    }
    losses[row] = sum / columns;
  });
  double sum = 0;
  int64_t hidden = 0;
  for (int64_t row = 0; row < op.rows(); ++row) {
    if (seen[row / count * g.tokens() + op.decoded.data<int32_t>()[row]]) continue;
    sum += losses[row];
    ++hidden;
  }
  using W = wide_t<T>;
  *op.loss.data<W>() = static_cast<W>(sum / hidden);  // NaN when no token carries loss
  *op.weight.data<W>() = static_cast<W>(hidden);
  if (W* out = op.token_loss.data<W>()) std::copy_n(losses, op.rows(), out);
}

template <class T>
void backward(const MaskedPixelLossBackward& op, void* scratch) {
  const TokenGrid g = op.grid(op.name);
  const int64_t columns = 3 * g.pixels();
  const T* prediction = op.prediction.data<T>();
  T* gradient = op.grad_prediction.data<T>();
  using W = wide_t<T>;
  const double factor = 2.0 * *op.grad_loss.data<W>() / (*op.weight.data<W>() * static_cast<double>(columns));
  for_tokens(op, g, mark_visible(op, g, scratch), [&](int64_t row, bool hidden, const double* target) {
    const T* x = prediction + row * columns;
    T* grad = gradient + row * columns;
    if (!hidden) return std::fill_n(grad, columns, T{}), void();
    for (int64_t i = 0; i < columns; ++i) grad[i] = convert<T>(factor * (widen(x[i]) - target[i]));
  });
}

}  // namespace

void run(MaskedPixelLoss& op, const Context& context) {
  with_real(op.prediction.dtype(), [&](auto t) { forward<decltype(t)>(op, context.workspace); });
}

void run(MaskedPixelLossBackward& op, const Context& context) {
  with_real(op.prediction.dtype(), [&](auto t) { backward<decltype(t)>(op, context.workspace); });
}

void run(PixelTargets& op, const Context&) {
  const TokenGrid g = op.grid();
  const int64_t columns = 3 * g.pixels(), count = op.decoded.shape()[1];
  with_wide(op.y.dtype, [&](auto t) {
    using T = decltype(t);
    T* y = op.y.data<T>();
    parallel_for(op.decoded.elements(), [&](int64_t row) {
      std::vector<double> target(columns);
      build_target(g, op.video, row / count, op.decoded.data<int32_t>()[row], op.normalize, target.data());
      for (int64_t i = 0; i < columns; ++i) y[row * columns + i] = static_cast<T>(target[i]);
    });
  });
}

}  // namespace videomae::cpu
