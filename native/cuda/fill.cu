// Filling with one value, converted to the dtype by the rules of cast: one pass of writes.
#include <cstring>

#include "core/convert.h"
#include "cuda/elements.cuh"
#include "ops/fill.h"

namespace videomae::cuda {
namespace {

/// Elements of the pattern that begin at `first`.
template <class Unit>
__global__ void fill(Unit* y, Unit pattern, int64_t first, int64_t count) {
  dependent_launch_begin();
  const int64_t i = first + thread_number();
  if (i < count) y[i] = pattern;
}

}  // namespace

void run(Fill& op, const Context& context) {
  with_element(op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    const T value = convert<T>(op.value);
    T elements[16 / sizeof(T)];
    std::fill_n(elements, 16 / sizeof(T), value);
    uint4 run;
    std::memcpy(&run, elements, sizeof run);
    T* y = op.y.data<T>();
    constexpr int64_t width = 16 / sizeof(T);
    const int64_t count = op.y.elements(), runs = aligned(16, {y}) ? count / width : 0;
    launch_threads(context, fill<uint4>, runs, reinterpret_cast<uint4*>(y), run, int64_t{0}, runs);
    launch_threads(context, fill<T>, count - runs * width, y, value, runs * width, count);
  });
}

size_t workspace(const Fill&) { return 0; }

}  // namespace videomae::cuda
