// Axis permutation, and the strided copy that expand, slice and cat are too. Cost: one pass of memory where runs stay
// contiguous; a permutation of the last axis reads a sector for every element and lives by the second-level cache.
#include "cuda/elements.cuh"
#include "cuda/strided_copy.cuh"
#include "cuda/walk.cuh"
#include "ops/permute.h"

namespace videomae::cuda {
namespace {

template <class Unit>
__global__ void copy_units(Walk<2> walk, const Unit* from, Unit* to, int64_t count) {
  dependent_launch_begin();
  const int64_t i = thread_number();
  if (i >= count) return;
  const Offsets<2> offsets = walk(i);
  to[offsets.at[1]] = from[offsets.at[0]];
}

/// The widest unit that runs can be moved in, as a number of elements.
int64_t elements_of_unit(const MergedAxes<2>& axes, int64_t bytes, const void* from, const void* to) {
  if (axes.step(0) != 1 || axes.step(1) != 1) return 1;
  int64_t width = 16 / bytes;
  const auto fits = [&] {
    if (axes.run() % width != 0 || !aligned(width * bytes, {from, to})) return false;
    for (int axis = 0; axis + 1 < axes.rank; ++axis)
      if (axes.strides[0][axis] % width != 0 || axes.strides[1][axis] % width != 0) return false;
    return true;
  };
  while (!fits()) width /= 2;
  return width;
}

template <class Unit>
void copy(const Context& context, const MergedAxes<2>& elements, int64_t width, const void* from, void* to,
          int64_t count) {
  MergedAxes<2> axes = elements;  // in units
  for (int axis = 0; axis + 1 < axes.rank; ++axis)
    for (Strides& strides : axes.strides) strides[axis] /= width;
  axes.sizes[axes.rank - 1] /= width;
  launch_threads(context, copy_units<Unit>, count / width, Walk<2>(axes, 1), static_cast<const Unit*>(from),
                 static_cast<Unit*>(to), count / width);
}

}  // namespace

void copy_strided(const Context& context, const Shape& shape, int64_t bytes, const void* from,
                  const Strides& from_strides, void* to, const Strides& to_strides) {
  const int64_t count = shape.elements();
  if (count == 0) return;
  const MergedAxes<2> axes(shape, {from_strides, to_strides});
  const int64_t width = elements_of_unit(axes, bytes, from, to);
  switch (width * bytes) {
    case 1:
      return copy<uint8_t>(context, axes, width, from, to, count);
    case 2:
      return copy<uint16_t>(context, axes, width, from, to, count);
    case 4:
      return copy<uint32_t>(context, axes, width, from, to, count);
    case 8:
      return copy<uint2>(context, axes, width, from, to, count);
    default:
      return copy<uint4>(context, axes, width, from, to, count);
  }
}

void run(Permute& op, const Context& context) {
  const Shape& from = op.x.shape();
  Strides strides{};
  for (size_t k = 0; k < op.axes.size(); ++k) strides[k] = from.product(static_cast<int>(op.axes[k]) + 1, from.rank());
  copy_strided(context, op.y.shape, static_cast<int64_t>(size_of(op.x.dtype())), op.x.data<void>(), strides,
               op.y.data<void>(), contiguous_strides(op.y.shape));
}

size_t workspace(const Permute&) { return 0; }

}  // namespace videomae::cuda
