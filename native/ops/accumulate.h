// y += x, in place: how gradients of a leaf add up. Each sum is computed in the wide type and rounded once to y's.
#pragma once

#include "ops/op.h"

namespace videomae {

struct Accumulate {
  static constexpr const char* name = "accumulate";
  InOut y;  // any shape
  In x;     // the shape of y, any real dtype

  template <class V>
  void visit(V& v) {
    v("y", y), v("x", x);
  }

  void infer() {
    check_real(name, "y", y);
    check_real(name, "x", x);
    check_shape(name, "x", x, y.shape());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Accumulate> cases(Draw& draw) {
    std::vector<Accumulate> list;
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{7}, Shape{3, 33}, Shape{5, 20001}})
      for (const bool wide : {false, true})
        list.push_back({InOut{wide ? draw.wide(shape) : draw.real(shape)}, draw.real(shape)});
    return list;
  }
};

}  // namespace videomae
