// An exponential moving average: one pass of memory.
#include "cuda/elements.cuh"
#include "ops/ema.h"

namespace videomae::cuda {
namespace {

template <int width>
__global__ void ema(float* average, const float* x, const double* decay, int64_t count) {
  dependent_launch_begin();
  const int64_t i = thread_number() * width;
  if (i >= count) return;
  const float keep = static_cast<float>(*decay), rest = static_cast<float>(1 - *decay);
  Floats<width> values = load_floats<width>(average + i, count - i);
  const Floats<width> added = load_floats<width>(x + i, count - i);
#pragma unroll
  for (int j = 0; j < width; ++j) values.at[j] = keep * values.at[j] + rest * added.at[j];
  store_floats<width>(average + i, values, count - i);
}

}  // namespace

void run(Ema& op, const Context& context) {
  check_f32(op.name, op.average.dtype());
  float* average = op.average.data<float>();
  const float* x = op.x.data<float>();
  const int64_t count = op.average.elements();
  with_width<float>(aligned(16, {average, x}), [&](auto w) {
    constexpr int width = decltype(w)::value;
    launch_threads(context, ema<width>, ceil_div(count, width), average, x, op.decay.data<double>(), count);
  });
}

size_t workspace(const Ema&) { return 0; }

}  // namespace videomae::cuda
