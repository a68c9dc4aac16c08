// Conversion between dtypes: one pass of memory. Between f32 and bf16 by runs; any other pair, which no step of a
// training uses, by way of f64, in which every element of every dtype is exact.
#include "core/convert.h"
#include "cuda/elements.cuh"
#include "cuda/strided_copy.cuh"
#include "ops/cast.h"

namespace videomae::cuda {
namespace {

template <int width, class From, class To>
__global__ void cast_runs(const From* x, To* y, int64_t count) {
  dependent_launch_begin();
  const int64_t i = thread_number() * width;
  if (i < count) store_floats<width>(y + i, load_floats<width>(x + i, count - i), count - i);
}

template <class T>
__device__ double element(const void* x, int64_t i) {
  return convert<double>(static_cast<const T*>(x)[i]);
}

__device__ double element(DType dtype, const void* x, int64_t i) {
  switch (dtype) {
    case DType::f64:
      return element<double>(x, i);
    case DType::f32:
      return element<float>(x, i);
    case DType::bf16:
      return element<bf16>(x, i);
    case DType::i32:
      return element<int32_t>(x, i);
    default:
      return element<uint8_t>(x, i);
  }
}

template <class T>
__global__ void cast_elements(DType from, const void* x, T* y, int64_t count) {
  dependent_launch_begin();
  const int64_t i = thread_number();
  if (i < count) y[i] = convert<T>(element(from, x, i));
}

template <class From, class To>
void cast_real(const Context& context, const From* x, To* y, int64_t count) {
  with_width<bf16>(aligned(16, {x, y}), [&](auto w) {
    constexpr int width = decltype(w)::value;
    launch_threads(context, cast_runs<width, From, To>, ceil_div(count, width), x, y, count);
  });
}

}  // namespace

void run(Cast& op, const Context& context) {
  const DType from = op.x.dtype(), to = op.y.dtype;
  const int64_t count = op.x.elements();
  if (from == to) {
    const Strides strides = contiguous_strides(op.x.shape());
    copy_strided(context, op.x.shape(), static_cast<int64_t>(size_of(from)), op.x.data<void>(), strides,
                 op.y.data<void>(), strides);
  } else if (from == DType::f32 && to == DType::bf16) {
    cast_real(context, op.x.data<float>(), op.y.data<bf16>(), count);
  } else if (from == DType::bf16 && to == DType::f32) {
    cast_real(context, op.x.data<bf16>(), op.y.data<float>(), count);
  } else {
    with_element(to, [&](auto t) {
      using T = decltype(t);
      launch_threads(context, cast_elements<T>, count, from, op.x.data<void>(), op.y.data<T>(), count);
    });
  }
}

size_t workspace(const Cast&) { return 0; }

}  // namespace videomae::cuda
