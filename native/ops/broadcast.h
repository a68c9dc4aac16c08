// Broadcasting: shapes are aligned at their last axes, and an axis of size 1 (or a missing one) repeats.
#pragma once

#include "ops/op.h"

namespace videomae {

/// The shape that a and b broadcast to. Throws Error naming both when an axis differs and neither size is 1.
inline Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    const int at_a = i - rank + a.rank(), at_b = i - rank + b.rank();
    const int64_t size_a = at_a < 0 ? 1 : a[at_a], size_b = at_b < 0 ? 1 : b[at_b];
    check(size_a == size_b || size_a == 1 || size_b == 1, op, "shapes that broadcast", a.text() + " and " + b.text(),
          "sizes of the same axis, counted from the last, must be equal or 1");
    shape.push_back(size_a == 1 ? size_b : size_a);
  }
  return shape;
}

}  // namespace videomae
