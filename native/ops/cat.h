// y = tensors joined along one axis, in order. Every other axis must agree.
#pragma once

#include "ops/axes.h"

namespace videomae {

struct Cat {
  static constexpr const char* name = "cat";
  InList xs;  // one or more, any dtype
  int64_t axis = 0;
  Out y;

  template <class V>
  void visit(V& v) {
    v("xs", xs), v("axis", axis), v("y", y);
  }

  void infer() {
    check(!xs.tensors.empty(), name, "one tensor or more", "none");
    const In first{xs.tensors[0]};
    axis = check_axis(name, axis, first);
    Shape shape = first.shape();
    int64_t& joined = shape[static_cast<int>(axis)];
    joined = 0;
    for (const Tensor& x : xs.tensors) {
      Shape expected = first.shape();
      const bool same_rank = x.shape().rank() == expected.rank();
      const int64_t size = same_rank ? x.shape()[static_cast<int>(axis)] : 0;
      expected[static_cast<int>(axis)] = size;
      check(same_rank && x.shape() == expected && x.dtype() == first.dtype(), name,
            "tensors like " + first.tensor.text() + " except for axis " + std::to_string(axis), x.text());
      joined += size;
    }
    y.set(shape, first.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Cat> cases(Draw& draw) {
    std::vector<Cat> list;
    for (int axis = 0; axis < 3; ++axis) {
      Cat op;
      for (int64_t size : {2, 0, 1, 5}) {
        Shape shape{3, 4, 2};
        shape[axis] = size;
        op.xs.tensors.push_back(draw.real(shape).tensor);
      }
      op.axis = axis == 2 ? -1 : axis;
      list.push_back(op);
    }
    list.push_back({InList{{draw.real({60, 900}).tensor, draw.real({60, 77}).tensor}}, 1});
    list.push_back({InList{{draw.bytes({3}).tensor, draw.bytes({2}).tensor}}, 0});
    return list;
  }
};

}  // namespace videomae
