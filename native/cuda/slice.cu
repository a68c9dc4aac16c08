// Slicing and zero padding along one axis: copies of a contiguous run for each index of the axes before it.
#include "cuda/elements.cuh"
#include "cuda/strided_copy.cuh"
#include "cuda/walk.cuh"
#include "ops/slice.h"

namespace videomae::cuda {
namespace {

/// Rows of `length` units; of each the ones from `before` on, `middle` of them, come from x, and the others are zero.
template <class Unit>
__global__ void pad(const Unit* x, Unit* y, Divisor length, int64_t before, int64_t middle, int64_t count) {
  dependent_launch_begin();
  const int64_t i = thread_number();
  if (i >= count) return;
  int64_t at = i;
  const int64_t row = length.split(at);
  at -= before;
  y[i] = at >= 0 && at < middle ? x[row * middle + at] : Unit{};
}

template <class Unit>
void pad_rows(const Context& context, const void* x, void* y, int64_t rows, int64_t before, int64_t middle,
              int64_t after) {
  const auto units = [](int64_t bytes) { return bytes / static_cast<int64_t>(sizeof(Unit)); };
  const int64_t length = units(before + middle + after);
  launch_threads(context, pad<Unit>, rows * length, static_cast<const Unit*>(x), static_cast<Unit*>(y), Divisor(length),
                 units(before), units(middle), rows * length);
}

}  // namespace

void run(Slice& op, const Context& context) {
  const Shape& from = op.x.shape();
  const int64_t bytes = static_cast<int64_t>(size_of(op.x.dtype()));
  const int64_t first = op.start * from.product(static_cast<int>(op.axis) + 1, from.rank()) * bytes;
  copy_strided(context, op.y.shape, bytes, op.x.data<char>() + first, contiguous_strides(from), op.y.data<void>(),
               contiguous_strides(op.y.shape));
}

void run(Pad& op, const Context& context) {
  const Shape& shape = op.x.shape();
  const int axis = static_cast<int>(op.axis);
  const int64_t rows = shape.product(0, axis);
  const int64_t bytes = shape.product(axis + 1, shape.rank()) * static_cast<int64_t>(size_of(op.x.dtype()));
  const int64_t before = op.before * bytes, middle = shape[axis] * bytes, after = op.after * bytes;
  const void* x = op.x.data<void>();
  void* y = op.y.data<void>();
  const auto in_units_of = [&](int64_t unit) {
    return (before | middle | after) % unit == 0 && aligned(static_cast<size_t>(unit), {x, y});
  };
  if (in_units_of(16))
    pad_rows<uint4>(context, x, y, rows, before, middle, after);
  else if (in_units_of(4))
    pad_rows<uint32_t>(context, x, y, rows, before, middle, after);
  else if (in_units_of(2))
    pad_rows<uint16_t>(context, x, y, rows, before, middle, after);
  else
    pad_rows<uint8_t>(context, x, y, rows, before, middle, after);
}

size_t workspace(const Slice&) { return 0; }
size_t workspace(const Pad&) { return 0; }

}  // namespace videomae::cuda
