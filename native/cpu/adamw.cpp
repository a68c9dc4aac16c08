// AdamW on the CPU: segments are cut into blocks of 16,384 elements, each one pass over four buffers.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "cpu/row_kernels.h"

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
  const double step = *op.updates.data<int32_t>() + 1.0;
  const double correction1 = 1 - std::pow(op.beta1, step), correction2 = 1 - std::pow(op.beta2, step);
  const double learning_rate = *op.learning_rate.data<double>(), weight_decay = *op.weight_decay.data<double>();
  parallel_for(static_cast<int64_t>(pieces.size()), [&, kernel = parameter_kernels<T>().adamw](int64_t p) {
    const Piece& piece = pieces[p];
    const double rate = learning_rate * op.rate_scales.data<double>()[piece.segment];
    const bool decayed = op.segments.data<int32_t>()[2 * piece.segment + 1] != 0;
    const int64_t from = piece.from;
    kernel({piece.until - from, op.parameters.data<T>() + from, op.gradients.data<T>() + from,
            op.exp_avg.data<T>() + from, op.exp_avg_sq.data<T>() + from,
            op.copies.elements() == 0 ? nullptr : op.copies.data<bf16>() + from, static_cast<T>(clip),
            static_cast<T>(op.beta1), static_cast<T>(op.beta2), static_cast<T>(1 - op.beta1),
            static_cast<T>(1 - op.beta2), static_cast<T>(decayed ? 1 - rate * weight_decay : 1),
            static_cast<T>(rate / correction1), static_cast<T>(std::sqrt(correction2)), static_cast<T>(op.eps)});
    if constexpr (std::is_same_v<T, double>)  // the kernel rounds floats only
      for (int64_t i = from; i < piece.until && op.copies.elements() > 0; ++i)
        op.copies.data<bf16>()[i] = convert<bf16>(op.parameters.data<T>()[i]);
  });
}

/// Counts the values that are not finite in the gradient of each segment.
template <class T>
void blame(const AdamW& op) {
  const int32_t* table = op.segments.data<int32_t>();
  const T* g = op.gradients.data<T>();
  int32_t* counts = op.non_finite.data<int32_t>();
  parallel_for(op.segments.shape()[0], [&](int64_t s) {
    const int64_t from = s == 0 ? 0 : table[2 * (s - 1)] * AdamW::alignment, until = table[2 * s] * AdamW::alignment;
    const int64_t count = std::count_if(g + from, g + until, [](T value) { return !std::isfinite(value); });
    counts[s] = static_cast<int32_t>(std::min<int64_t>(count, INT32_MAX));
  });
}

template <class T>
bool is_finite(const OptionalIn& scalar) {
  return !scalar.given() || std::isfinite(*scalar.data<T>());
}

/// Returns whether the update was made.
template <class T>
bool step(const AdamW& op) {
  std::fill_n(op.non_finite.data<int32_t>(), op.non_finite.tensor.elements(), 0);
  if (!is_finite<T>(op.gradient_norm) || !is_finite<T>(op.loss)) {
    blame<T>(op);
    std::fill_n(op.gradients.data<T>(), op.gradients.elements(), T{0});
    return false;
  }
  const double norm = op.gradient_norm.given() ? *op.gradient_norm.data<T>() : 0;
  const double clip = op.clip_norm > 0 ? std::min(1.0, op.clip_norm / (norm + 1e-6)) : 1;
  std::vector<Piece> pieces;
  int64_t from = 0;
  for (int64_t s = 0; s < op.segments.shape()[0]; ++s) {
    const int64_t end = op.segments.data<int32_t>()[2 * s] * AdamW::alignment;
    for (; from < end; from = std::min(end, from + block)) pieces.push_back({from, std::min(end, from + block), s});
  }
  update<T>(op, pieces, clip);
  ++*op.updates.data<int32_t>();
  return true;
}

}  // namespace

void run(AdamW& op, const Context&) {
  with_wide(op.parameters.dtype(), [&](auto t) { *op.skipped.data<int32_t>() = step<decltype(t)>(op) ? 0 : 1; });
}

}  // namespace videomae::cpu
