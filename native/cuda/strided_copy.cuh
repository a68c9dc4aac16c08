// Copies between strided places, for the ops that move elements without looking at them.
#pragma once

#include "cuda/kernels.h"
#include "ops/merged_axes.h"

namespace videomae::cuda {

/// to[place] = from[place] for every place of `shape`, in elements of `bytes` (1, 2, 4 or 8), with a stride for each
/// axis on either side. Neighbouring elements move together, up to 16 bytes at a time, where strides and pointers
/// allow it.
void copy_strided(const Context& context, const Shape& shape, int64_t bytes, const void* from,
                  const Strides& from_strides, void* to, const Strides& to_strides);

/// The strides of a contiguous tensor.
inline Strides contiguous_strides(const Shape& shape) {
  Strides strides{};
  for (int64_t axis = shape.rank() - 1, step = 1; axis >= 0; --axis) {
    strides[axis] = step;
    step *= shape[static_cast<int>(axis)];
  }
  return strides;
}

}  // namespace videomae::cuda
