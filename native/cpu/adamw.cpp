// AdamW on the CPU: segments are cut into blocks of 16,384 elements, each one pass over four buffers.
#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

constexpr int64_t block = 16384;

/// A stretch of one segment.
struct Piece {
  int64_t from, until;
  int64_t segment;
};

template <class T>
void update(const AdamW& op, const std::vector<Piece>& pieces, double clip) {
  const double correction1 = 1 - std::pow(op.beta1, op.step), correction2 = 1 - std::pow(op.beta2, op.step);
  parallel_for(static_cast<int64_t>(pieces.size()), [&](int64_t p) {
    const Piece& piece = pieces[p];
    const double rate = op.learning_rate * op.rate_scales.data<double>()[piece.segment];
    const bool decayed = op.segments.data<int32_t>()[2 * piece.segment + 1] != 0;
    const T keep = static_cast<T>(decayed ? 1 - rate * op.weight_decay : 1), scale = static_cast<T>(clip);
    const T b1 = static_cast<T>(op.beta1), b2 = static_cast<T>(op.beta2), eps = static_cast<T>(op.eps);
    const T c1 = static_cast<T>(1 - op.beta1), c2 = static_cast<T>(1 - op.beta2);
    const T step_size = static_cast<T>(rate / correction1), root2 = static_cast<T>(std::sqrt(correction2));
    T *w = op.parameters.data<T>(), *g = op.gradients.data<T>();
    T *m = op.exp_avg.data<T>(), *v = op.exp_avg_sq.data<T>();
    for (int64_t i = piece.from; i < piece.until; ++i) {
      const T gradient = g[i] * scale;
      m[i] = b1 * m[i] + c1 * gradient;
      v[i] = b2 * v[i] + c2 * gradient * gradient;
      w[i] = w[i] * keep - step_size * m[i] / (std::sqrt(v[i]) / root2 + eps);
      g[i] = 0;
    }
  });
}

template <class T>
bool step(const AdamW& op) {
  double clip = 1;
  if (op.gradient_norm.given()) {
    const double norm = *op.gradient_norm.data<T>();
    if (!std::isfinite(norm)) {
      T* g = op.gradients.data<T>();
      std::fill(g, g + op.gradients.elements(), T{0});
      return false;
    }
    if (op.clip_norm > 0) clip = std::min(1.0, op.clip_norm / (norm + 1e-6));
  }
  std::vector<Piece> pieces;
  int64_t from = 0;
  for (int64_t s = 0; s < op.segments.shape()[0]; ++s) {
    const int64_t end = op.segments.data<int32_t>()[2 * s] * AdamW::alignment;
    for (; from < end; from = std::min(end, from + block)) pieces.push_back({from, std::min(end, from + block), s});
  }
  update<T>(op, pieces, clip);
  return true;
}

}  // namespace

void run(AdamW& op, const Context&) {
  with_real(op.parameters.dtype(), [&](auto t) { *op.skipped.data<int32_t>() = step<decltype(t)>(op) ? 0 : 1; });
}

}  // namespace videomae::cpu
