// In-place addition: one pass of memory.
#include "cuda/elements.cuh"
#include "ops/accumulate.h"

namespace videomae::cuda {
namespace {

template <int width, class Y, class X>
__global__ void accumulate(Y* y, const X* x, int64_t count) {
  dependent_launch_begin();
  const int64_t i = thread_number() * width;
  if (i >= count) return;
  Floats<width> sums = load_floats<width>(y + i, count - i);
  const Floats<width> added = load_floats<width>(x + i, count - i);
#pragma unroll
  for (int j = 0; j < width; ++j) sums.at[j] += added.at[j];
  store_floats<width>(y + i, sums, count - i);
}

template <class Y, class X>
void accumulate_elements(const Context& context, Y* y, const X* x, int64_t count) {
  using Narrower = std::conditional_t<sizeof(X) < sizeof(Y), X, Y>;
  with_width<Narrower>(aligned(16, {x, y}), [&](auto w) {
    constexpr int width = decltype(w)::value;
    launch_threads(context, accumulate<width, Y, X>, ceil_div(count, width), y, x, count);
  });
}

}  // namespace

void run(Accumulate& op, const Context& context) {
  with_real(op.name, op.y.dtype(), [&](auto sum) {
    with_real(op.name, op.x.dtype(), [&](auto added) {
      accumulate_elements(context, op.y.data<decltype(sum)>(), op.x.data<decltype(added)>(), op.y.elements());
    });
  });
}

size_t workspace(const Accumulate&) { return 0; }

}  // namespace videomae::cuda
