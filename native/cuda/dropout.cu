// Dropout and drop path: one pass of memory and one uniform number an element, or a row.
#include "cuda/elements.cuh"
#include "cuda/walk.cuh"
#include "ops/dropout.h"

namespace videomae::cuda {
namespace {

/// @param row  elements that share a number: those of a clip, or 1
template <int width, class T>
__global__ void dropout(const T* x, T* y, int64_t count, Divisor row, const double* step, uint32_t path, double keep,
                        float scale) {
  dependent_launch_begin();
  const int64_t i = thread_number() * width;
  if (i >= count) return;
  const PhiloxKey key = philox_step_key(step, Dropout::use, path);
  Floats<width> values = load_floats<width>(x + i, count - i);
#pragma unroll
  for (int j = 0; j < width; ++j) {
    const bool kept = floor(keep + philox_uniform(key, static_cast<uint64_t>(row(i + j)))) > 0;
    values.at[j] = kept ? values.at[j] * scale : 0.0f;
  }
  store_floats<width>(y + i, values, count - i);
}

}  // namespace

void run(Dropout& op, const Context& context) {
  with_real(op.name, op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t count = op.x.elements();
    if (count == 0) return;
    const double keep = 1 - op.probability;
    const float scale = keep > 0 ? static_cast<float>(1 / keep) : 0.0f;
    const Divisor row(op.per_sample ? count / op.x.shape()[0] : 1);
    const T* x = op.x.data<T>();
    T* y = op.y.data<T>();
    with_width<T>(aligned(16, {x, y}), [&](auto w) {
      constexpr int width = decltype(w)::value;
      launch_threads(context, dropout<width, T>, ceil_div(count, width), x, y, count, row, op.key.data<double>(),
                     static_cast<uint32_t>(op.path), keep, scale);
    });
  });
}

size_t workspace(const Dropout&) { return 0; }

}  // namespace videomae::cuda
