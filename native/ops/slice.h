// y = x[..., start : start + length, ...] along one axis, and pad, its transpose: zeros before and after.
#pragma once

#include "ops/axes.h"

namespace videomae {

struct Slice {
  static constexpr const char* name = "slice";
  In x;  // any dtype
  int64_t axis = 0, start = 0, length = 0;
  Out y;

  template <class V>
  void visit(V& v) {
    v("x", x), v("axis", axis), v("start", start), v("length", length), v("y", y);
  }

  void infer() {
    axis = check_axis(name, axis, x);
    Shape shape = x.shape();
    const int64_t size = shape[static_cast<int>(axis)];
    check(start >= 0 && length >= 0 && start <= size && length <= size - start, name,
          "a range inside axis " + std::to_string(axis) + " of " + x.tensor.text(),
          "start " + std::to_string(start) + ", length " + std::to_string(length));
    shape[static_cast<int>(axis)] = length;
    y.set(shape, x.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Slice> cases(Draw& draw) {
    return {{draw.real({7}), 0, 2, 3},
            {draw.real({7}), 0, 7, 0},
            {draw.real({3, 5, 4}), 1, 1, 3},
            {draw.real({40, 3000}), -1, 17, 2001},
            {draw.bytes({4, 9}), 0, 1, 2}};
  }
};

struct Pad {
  static constexpr const char* name = "pad";
  In x;  // any dtype
  int64_t axis = 0, before = 0, after = 0;
  Out y;

  template <class V>
  void visit(V& v) {
    v("x", x), v("axis", axis), v("before", before), v("after", after), v("y", y);
  }

  void infer() {
    axis = check_axis(name, axis, x);
    check(before >= 0 && after >= 0, name, "before and after of 0 or more",
          std::to_string(before) + " and " + std::to_string(after));
    Shape shape = x.shape();
    shape[static_cast<int>(axis)] += before + after;
    y.set(shape, x.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Pad> cases(Draw& draw) {
    return {{draw.real({7}), 0, 2, 3},
            {draw.real({0}), 0, 0, 4},
            {draw.real({3, 5, 4}), 1, 1, 0},
            {draw.real({40, 3000}), -1, 17, 1},
            {draw.bytes({4, 9}), 0, 0, 2}};
  }
};

}  // namespace videomae
