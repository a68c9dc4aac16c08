// y = the sum of x over some axes, and expand, its transpose: x repeated to a larger shape.
//
// The sum is taken one run of neighbouring axes at a time, last run first, and each run in blocks of fixed length whose
// sums are summed again: the tree depends on the shape only, and its depth keeps rounding small.
#pragma once

#include "ops/axes.h"
#include "ops/broadcast.h"

namespace videomae {

struct Sum {
  static constexpr const char* name = "sum";
  In x;
  Integers axes;  // empty: all
  bool keep_dims = false;
  Out y;

  /// One pass over (outer, n, inner): sums blocks of `block` along the middle into (outer, blocks, inner).
  struct Stage {
    int64_t outer, n, inner, block;
    int64_t blocks() const { return n > block ? (n + block - 1) / block : 1; }
    int64_t results() const { return outer * blocks() * inner; }
  };

  template <class V>
  void visit(V& v) {
    v("x", x), v("axes", axes), v("keepDims", keep_dims), v("y", y);
  }

  /// Whether each axis is summed over.
  std::vector<bool> summed() const {
    std::vector<bool> flags(x.shape().rank(), axes.empty());
    for (int64_t axis : axes) flags[check_axis(name, axis, x)] = true;
    return flags;
  }

  void infer() {
    check_real(name, "x", x);
    const std::vector<bool> flags = summed();
    Shape shape;
    for (int i = 0; i < x.shape().rank(); ++i)
      if (!flags[i])
        shape.push_back(x.shape()[i]);
      else if (keep_dims)
        shape.push_back(1);
    y.set(shape, x.dtype());
  }

  /// The passes, in order. None when there is nothing to add up.
  std::vector<Stage> stages() const {
    const std::vector<bool> flags = summed();
    std::vector<Stage> list;
    int64_t inner = 1;
    for (int last = x.shape().rank() - 1; last >= 0;) {
      int first = last;
      while (first > 0 && flags[first - 1] == flags[last]) --first;
      const int64_t n = x.shape().product(first, last + 1);
      if (!flags[last]) {
        inner *= n;
      } else if (n != 1) {
        int64_t rest = n;
        do {
          list.push_back({x.shape().product(0, first), rest, inner, inner == 1 ? 2048 : 64});
          rest = list.back().blocks();
        } while (rest != 1);
      }
      last = first - 1;
    }
    return list;
  }

  /// Two buffers for the results between passes.
  int64_t buffer_elements() const {
    int64_t most = 0;
    for (const Stage& stage : stages()) most = std::max(most, stage.results());
    return most;
  }

  size_t workspace(DeviceKind) const {
    return stages().size() < 2 ? 0 : static_cast<size_t>(2 * buffer_elements()) * size_of(wide_of(x.dtype()));
  }

  static std::vector<Sum> cases(Draw& draw) {
    return {{draw.real({})},
            {draw.real({7})},
            {draw.real({0})},
            {draw.real({3, 0, 2}), {1}},
            {draw.real({1, 1}), {0}},
            {draw.real({5, 33}), {-1}, true},
            {draw.real({5, 33}), {0}},
            {draw.real({4, 3, 5, 2}), {0, 2}},
            {draw.real({4, 3, 5, 2}), {1, 3}, true},
            {draw.real({2, 100, 3}), {1}},
            {draw.real({70, 5000}, 0, 1)},
            {draw.real({5000, 70}), {0}},
            {draw.real({300001}, 0, 1), {0}}};
  }
};

/// y = x repeated along axes of size 1 and new leading ones until it has `shape`.
struct Expand {
  static constexpr const char* name = "expand";
  In x;            // any dtype
  Integers shape;  // what x's shape must broadcast to
  Out y;

  template <class V>
  void visit(V& v) {
    v("x", x), v("shape", shape), v("y", y);
  }

  void infer() {
    Shape wanted;
    for (int64_t size : shape) wanted.push_back(size);
    check(broadcast_shape(name, x.shape(), wanted) == wanted, name, "a shape that " + x.tensor.text() + " repeats to",
          wanted.text(), "only axes of size 1 and missing leading axes are repeated");
    y.set(wanted, x.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Expand> cases(Draw& draw) {
    return {{draw.real({}), {}},
            {draw.real({}), {3, 2}},
            {draw.real({5, 1, 3}), {2, 5, 4, 3}},
            {draw.real({33, 1}), {33, 2000}},
            {draw.integers({1, 7}, 100), {6, 7}},
            {draw.bytes({3, 1}), {3, 5}}};
  }
};

}  // namespace videomae
