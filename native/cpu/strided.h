// Walks a row-major index space in which operands have strides of their own (broadcast axes have stride 0, permuted
// ones any). Neighbouring axes that every operand can cross in one step are merged, so equal shapes become one long
// run, a scalar one run with stride 0, and a trailing match two axes: no separate fast paths are needed.
#pragma once

#include <array>

#include "core/shape.h"

namespace videomae::cpu {

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

/// The walk for N operands.
template <int N>
class StridedWalk {
 public:
  StridedWalk(const Shape& shape, const std::array<Strides, N>& strides) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 1) continue;
      bool joins = rank_ > 0;
      for (int k = 0; k < N && joins; ++k) joins = strides_[k][rank_ - 1] == strides[k][axis] * shape[axis];
      if (joins) {
        sizes_[rank_ - 1] *= shape[axis];
      } else {
        sizes_[rank_++] = shape[axis];
      }
      for (int k = 0; k < N; ++k) strides_[k][rank_ - 1] = strides[k][axis];
    }
    if (rank_ == 0) sizes_[rank_++] = 1;
  }

  /// Stride of operand k along a run.
  int64_t step(int k) const { return strides_[k][rank_ - 1]; }

  /// Covers the elements [from, until), in row-major order, by runs along the last merged axis: calls
  /// body(i, length, offsets) with the first element's number, the run's length and each operand's offset.
  template <class F>
  void operator()(int64_t from, int64_t until, F&& body) const {
    int64_t index[Shape::max_rank];
    std::array<int64_t, N> offsets{};
    for (int64_t axis = rank_ - 1, rest = from; axis >= 0; --axis) {
      index[axis] = rest % sizes_[axis];
      rest /= sizes_[axis];
      for (int k = 0; k < N; ++k) offsets[k] += index[axis] * strides_[k][axis];
    }
    const int last = rank_ - 1;
    for (int64_t i = from; i < until;) {
      const int64_t length = std::min(until - i, sizes_[last] - index[last]);
      body(i, length, offsets);
      i += length;
      advance(last, length, index, offsets);
    }
  }

 private:
  void advance(int axis, int64_t by, int64_t* index, std::array<int64_t, N>& offsets) const {
    for (;; --axis, by = 1) {
      index[axis] += by;
      for (int k = 0; k < N; ++k) offsets[k] += by * strides_[k][axis];
      if (index[axis] < sizes_[axis] || axis == 0) return;
      index[axis] = 0;
      for (int k = 0; k < N; ++k) offsets[k] -= sizes_[axis] * strides_[k][axis];
    }
  }

  int rank_ = 0;
  int64_t sizes_[Shape::max_rank];
  std::array<Strides, N> strides_{};
};

}  // namespace videomae::cpu
