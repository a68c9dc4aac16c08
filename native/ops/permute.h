// y[i0, i1, ...] = x with its axes reordered: axis k of y is axis axes[k] of x.
#pragma once

#include "ops/axes.h"

namespace videomae {

struct Permute {
  static constexpr const char* name = "permute";
  In x;           // any dtype
  Integers axes;  // every axis of x once
  Out y;

  template <class V>
  void visit(V& v) {
    v("x", x), v("axes", axes), v("y", y);
  }

  void infer() {
    const int rank = x.shape().rank();
    std::vector<bool> used(rank, false);
    Shape shape;
    bool each_once = static_cast<int>(axes.size()) == rank;
    for (size_t k = 0; k < axes.size() && each_once; ++k) {
      axes[k] = check_axis(name, axes[k], x);
      each_once = !used[axes[k]];
      used[axes[k]] = true;
      shape.push_back(x.shape()[static_cast<int>(axes[k])]);
    }
    std::string given;
    for (int64_t axis : axes) given += (given.empty() ? "" : ", ") + std::to_string(axis);
    check(each_once, name, "axes that name every axis of " + x.tensor.text() + " once", "[" + given + "]");
    y.set(shape, x.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Permute> cases(Draw& draw) {
    return {{draw.real({}), {}},
            {draw.real({3, 5}), {1, 0}},
            {draw.real({2, 0, 3}), {2, 0, 1}},
            {draw.real({2, 3, 4, 5}), {0, 2, 1, -1}},
            {draw.real({3, 70, 500}), {2, 0, 1}},
            {draw.bytes({2, 3, 9, 7}), {0, 2, 3, 1}},
            {draw.real({2, 1, 3, 1, 2, 2, 1, 2}), {7, 6, 5, 4, 3, 2, 1, 0}}};
  }
};

}  // namespace videomae
