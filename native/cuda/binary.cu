// Element-wise binary ops: one pass of memory along merged broadcast axes. Which op is asked once for a run of
// elements.
#include "cuda/elements.cuh"
#include "cuda/walk.cuh"
#include "ops/binary.h"

namespace videomae::cuda {
namespace {

/// Calls body with the function of a kind: (a, b) -> float.
template <class Body>
__device__ __forceinline__ void with_function(int kind, Body&& body) {
  switch (kind) {
    case Binary::add:
      return body([](float a, float b) { return a + b; });
    case Binary::sub:
      return body([](float a, float b) { return a - b; });
    case Binary::mul:
      return body([](float a, float b) { return a * b; });
    case Binary::div:
      return body([](float a, float b) { return a / b; });
    case Binary::maximum:
      return body([](float a, float b) { return a > b || a != a ? a : b; });
    case Binary::minimum:
      return body([](float a, float b) { return a < b || a != a ? a : b; });
    default:
      return body([](float a, float b) { return powf(a, b); });
  }
}

/// How a maximum's gradient splits: all to the greater, half each to equals.
__device__ __forceinline__ float2 split_gradient(float g, float greater, float smaller) {
  return greater > smaller   ? make_float2(g, 0.0f)
         : greater < smaller ? make_float2(0.0f, g)
                             : make_float2(g / 2, g / 2);
}

/// d(a^b): with respect to a it is 0 for b = 0, and with respect to b it is 0 where a = 0 and b >= 0.
__device__ __forceinline__ float2 pow_gradients(float g, float a, float b) {
  const float by_a = b == 0 ? 0.0f : g * b * powf(a, b - 1);
  const float by_b = a == 0 && b >= 0 ? 0.0f : g * powf(a, b) * logf(a);
  return make_float2(by_a, by_b);
}

/// Calls body with the gradients of a kind: (gradient, a, b) -> those of a and b.
template <class Body>
__device__ __forceinline__ void with_gradients(int kind, Body&& body) {
  switch (kind) {
    case BinaryBackward::mul:
      return body([](float g, float a, float b) { return make_float2(g * b, g * a); });
    case BinaryBackward::div:
      return body([](float g, float a, float b) { return make_float2(g / b, -(g / b) * (a / b)); });
    case BinaryBackward::maximum:
      return body([](float g, float a, float b) { return split_gradient(g, a, b); });
    case BinaryBackward::minimum:
      return body([](float g, float a, float b) { return split_gradient(g, -a, -b); });
    default:
      return body([](float g, float a, float b) { return pow_gradients(g, a, b); });
  }
}

/// A run of an operand, or its one element where the run stands still.
template <int width, class T>
__device__ __forceinline__ Floats<width> load_operand(const T* p, bool repeats, int64_t left) {
  if (!repeats) return load_floats<width>(p, left);
  Floats<width> values;
  const float value = cuda::to_float(*p);
#pragma unroll
  for (int j = 0; j < width; ++j) values.at[j] = value;
  return values;
}

/// Where a and b are read: the walk, and which of them stand still along a run.
struct Operands {
  Walk<2> walk;
  bool repeat_a, repeat_b;
};

template <int width, class T>
__global__ void binary_forward(int kind, Operands operands, const T* a, const T* b, T* y, int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number(), i = number * width;
  if (i >= count) return;
  const Offsets<2> offsets = operands.walk(number);
  Floats<width> left = load_operand<width>(a + offsets.at[0], operands.repeat_a, count - i);
  const Floats<width> right = load_operand<width>(b + offsets.at[1], operands.repeat_b, count - i);
  with_function(kind, [&](auto function) {
#pragma unroll
    for (int j = 0; j < width; ++j) left.at[j] = function(left.at[j], right.at[j]);
  });
  store_floats<width>(y + i, left, count - i);
}

template <int width, class T>
__global__ void binary_backward(int kind, Operands operands, const T* grad_y, const T* a, const T* b, T* grad_a,
                                T* grad_b, int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number(), i = number * width;
  if (i >= count) return;
  const Offsets<2> offsets = operands.walk(number);
  const Floats<width> gradient = load_floats<width>(grad_y + i, count - i);
  Floats<width> left = load_operand<width>(a + offsets.at[0], operands.repeat_a, count - i);
  Floats<width> right = load_operand<width>(b + offsets.at[1], operands.repeat_b, count - i);
  with_gradients(kind, [&](auto function) {
#pragma unroll
    for (int j = 0; j < width; ++j) {
      const float2 gradients = function(gradient.at[j], left.at[j], right.at[j]);
      left.at[j] = gradients.x, right.at[j] = gradients.y;
    }
  });
  if (grad_a != nullptr) store_floats<width>(grad_a + i, left, count - i);
  if (grad_b != nullptr) store_floats<width>(grad_b + i, right, count - i);
}

/// Whether operand k can be read in runs of `width` that begin where runs of the result do.
bool runs_align(const MergedAxes<2>& axes, int k, int64_t width) {
  if (axes.step(k) == 0) return true;
  for (int axis = 0; axis + 1 < axes.rank; ++axis)
    if (axes.strides[k][axis] % width != 0) return false;
  return true;
}

/// Calls body(width, operands) with the longest runs that all pointers and strides allow. One axis alone may end with a
/// shorter run.
template <class T, class F>
void with_operands(const Shape& shape, const In& a, const In& b, std::initializer_list<const void*> results, F&& body) {
  const MergedAxes<2> axes(shape, {broadcast_strides(a.shape(), shape), broadcast_strides(b.shape(), shape)});
  constexpr int64_t most = vector_width<T>;
  const auto in_runs = [&](int k, const In& x) {
    return axes.step(k) == 0 || (runs_align(axes, k, most) && aligned(16, {x.data<T>()}));
  };
  const bool wide =
      (axes.rank == 1 || axes.run() % most == 0) && aligned(16, results) && in_runs(0, a) && in_runs(1, b);
  with_width<T>(wide, [&](auto width) {
    body(width, Operands{Walk<2>(axes, decltype(width)::value), axes.step(0) == 0, axes.step(1) == 0});
  });
}

}  // namespace

void run(Binary& op, const Context& context) {
  const int64_t count = op.y.shape.elements();
  if (count == 0) return;
  with_real(op.name, op.a.dtype(), [&](auto t) {
    using T = decltype(t);
    T* y = op.y.data<T>();
    with_operands<T>(op.y.shape, op.a, op.b, {y}, [&](auto w, const Operands& operands) {
      constexpr int width = decltype(w)::value;
      launch_threads(context, binary_forward<width, T>, ceil_div(count, width), op.kind.value, operands, op.a.data<T>(),
                     op.b.data<T>(), y, count);
    });
  });
}

void run(BinaryBackward& op, const Context& context) {
  const int64_t count = op.grad_y.elements();
  if (count == 0) return;
  with_real(op.name, op.a.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* grad_y = op.grad_y.data<T>();
    T *grad_a = op.grad_a.data<T>(), *grad_b = op.grad_b.data<T>();
    with_operands<T>(op.grad_y.shape(), op.a, op.b, {grad_y, grad_a, grad_b}, [&](auto w, const Operands& operands) {
      constexpr int width = decltype(w)::value;
      launch_threads(context, binary_backward<width, T>, ceil_div(count, width), op.kind.value, operands, grad_y,
                     op.a.data<T>(), op.b.data<T>(), grad_a, grad_b, count);
    });
  });
}

size_t workspace(const Binary&) { return 0; }
size_t workspace(const BinaryBackward&) { return 0; }

}  // namespace videomae::cuda
