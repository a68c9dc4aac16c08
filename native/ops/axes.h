// Axis arguments: negative ones count from the last.
#pragma once

#include "ops/op.h"

namespace videomae {

/// The axis as an index from 0. Throws Error when x has no such axis.
inline int check_axis(const char* op, int64_t axis, const In& x) {
  const int rank = x.shape().rank();
  check(axis >= -rank && axis < rank, op,
        rank == 0 ? "a tensor with axes" : "an axis from " + std::to_string(-rank) + " to " + std::to_string(rank - 1),
        std::to_string(axis) + " for " + x.tensor.text());
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace videomae
