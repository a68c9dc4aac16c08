// The global L2 norm of a flat buffer. Squares are summed in f64, per block of 16,384 elements and then over blocks in
// order, so the result depends on nothing but the values.
#pragma once

#include "ops/op.h"

namespace videomae {

struct GradNorm {
  static constexpr const char* name = "gradNorm";
  In x;   // (P)
  Out y;  // ()

  static constexpr int64_t block = 16384;

  template <class V>
  void visit(V& v) {
    v("x", x), v("y", y);
  }

  int64_t blocks() const { return (x.elements() + block - 1) / block; }

  void infer() {
    check_wide(name, "x", x);
    check_rank(name, "x", x, 1, "[P]");
    y.set({}, x.dtype());
  }

  size_t workspace(DeviceKind) const { return static_cast<size_t>(blocks()) * sizeof(double); }

  static std::vector<GradNorm> cases(Draw& draw) {
    return {{draw.wide({1})}, {draw.wide({1000})}, {draw.wide({50000})}};
  }
};

}  // namespace videomae
