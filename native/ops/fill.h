// y[...] = value, in place.
#pragma once

#include "ops/op.h"

namespace videomae {

struct Fill {
  static constexpr const char* name = "fill";
  InOut y;  // any dtype
  double value = 0;

  template <class V>
  void visit(V& v) {
    v("y", y), v("value", value);
  }

  void infer() {}

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Fill> cases(Draw& draw) {
    return {{InOut{draw.real({})}, 0.25},
            {InOut{draw.real({0})}, 1},
            {InOut{draw.real({3, 20011})}, -1.5},
            {InOut{draw.integers({9}, 5)}, 7}};
  }
};

}  // namespace videomae
