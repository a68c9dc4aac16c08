// Walks a space of merged axes (ops/merged_axes.h) in row-major order, run by run.
#pragma once

#include "ops/merged_axes.h"

namespace videomae::cpu {

/// The walk for N operands.
template <int N>
class StridedWalk : MergedAxes<N> {
 public:
  using MergedAxes<N>::MergedAxes;
  using MergedAxes<N>::step;

  /// Covers the elements [from, until), in row-major order, by runs along the last merged axis: calls
  /// body(i, length, offsets) with the first element's number, the run's length and each operand's offset.
  template <class F>
  void operator()(int64_t from, int64_t until, F&& body) const {
    int64_t index[Shape::max_rank];
    std::array<int64_t, N> offsets{};
    for (int64_t axis = rank - 1, rest = from; axis >= 0; --axis) {
      index[axis] = rest % sizes[axis];
      rest /= sizes[axis];
      for (int k = 0; k < N; ++k) offsets[k] += index[axis] * strides[k][axis];
    }
    const int last = rank - 1;
    for (int64_t i = from; i < until;) {
      const int64_t length = std::min(until - i, sizes[last] - index[last]);
      body(i, length, offsets);
      i += length;
      advance(last, length, index, offsets);
    }
  }

 private:
  using MergedAxes<N>::rank;
  using MergedAxes<N>::sizes;
  using MergedAxes<N>::strides;

  void advance(int axis, int64_t by, int64_t* index, std::array<int64_t, N>& offsets) const {
    for (;; --axis, by = 1) {
      index[axis] += by;
      for (int k = 0; k < N; ++k) offsets[k] += by * strides[k][axis];
      if (index[axis] < sizes[axis] || axis == 0) return;
      index[axis] = 0;
      for (int k = 0; k < N; ++k) offsets[k] -= sizes[axis] * strides[k][axis];
    }
  }
};

}  // namespace videomae::cpu
