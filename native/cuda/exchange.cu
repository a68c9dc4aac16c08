// Exchange of contents: one pass of memory.
#include "cuda/elements.cuh"
#include "ops/exchange.h"

namespace videomae::cuda {
namespace {

template <int width, class T>
__global__ void exchange(T* a, T* b, int64_t count) {
  dependent_launch_begin();
  const int64_t i = thread_number() * width;
  if (i >= count) return;
  const Floats<width> from_a = load_floats<width>(a + i, count - i), from_b = load_floats<width>(b + i, count - i);
  store_floats<width>(a + i, from_b, count - i);
  store_floats<width>(b + i, from_a, count - i);
}

}  // namespace

void run(Exchange& op, const Context& context) {
  with_real(op.name, op.a.dtype(), [&](auto t) {
    using T = decltype(t);
    T *a = op.a.data<T>(), *b = op.b.data<T>();
    const int64_t count = op.a.elements();
    with_width<T>(aligned(16, {a, b}), [&](auto w) {
      constexpr int width = decltype(w)::value;
      launch_threads(context, exchange<width, T>, ceil_div(count, width), a, b, count);
    });
  });
}

size_t workspace(const Exchange&) { return 0; }

}  // namespace videomae::cuda
