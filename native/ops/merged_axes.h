// A row-major index space in which operands have strides of their own (broadcast axes have stride 0, permuted ones
// any). Neighbouring axes that every operand crosses in one step are merged, so equal shapes become one long run, a
// scalar one run with stride 0, and a trailing match two axes: kernels need no separate fast paths.
#pragma once

#include <array>

#include "core/shape.h"

namespace videomae {

using Strides = std::array<int64_t, Shape::max_rank>;

/// Strides, in elements, of a contiguous operand of shape `own` seen with the broadcast shape `shape`.
inline Strides broadcast_strides(const Shape& own, const Shape& shape) {
  Strides strides{};
  int64_t step = 1;
  for (int i = own.rank() - 1, at = shape.rank() - 1; i >= 0; --i, --at) {
    strides[at] = own[i] == 1 ? 0 : step;
    step *= own[i];
  }
  return strides;
}

/// The space for N operands: one axis at least.
template <int N>
struct MergedAxes {
  int rank = 0;
  int64_t sizes[Shape::max_rank] = {};
  std::array<Strides, N> strides{};

  MergedAxes(const Shape& shape, const std::array<Strides, N>& own) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 1) continue;
      bool joins = rank > 0;
      for (int k = 0; k < N && joins; ++k) joins = strides[k][rank - 1] == own[k][axis] * shape[axis];
      if (joins) {
        sizes[rank - 1] *= shape[axis];
      } else {
        sizes[rank++] = shape[axis];
      }
      for (int k = 0; k < N; ++k) strides[k][rank - 1] = own[k][axis];
    }
    if (rank == 0) sizes[rank++] = 1;
  }

  /// Stride of operand k along a run, which is the last axis.
  int64_t step(int k) const { return strides[k][rank - 1]; }
  int64_t run() const { return sizes[rank - 1]; }
};

}  // namespace videomae
