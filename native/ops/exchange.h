// Exchanges the contents of two tensors in one pass, without memory for a third: averaged weights take the place of the
// trained ones for as long as a validation lasts, at addresses that captured steps know.
#pragma once

#include "ops/op.h"

namespace videomae {

struct Exchange {
  static constexpr const char* name = "exchange";
  InOut a, b;  // of one shape and dtype, real; not overlapping

  template <class V>
  void visit(V& v) {
    v("a", a), v("b", b);
  }

  void infer() {
    check_real(name, "a", a);
    check_same_dtype(name, "b", b, a);
    check_shape(name, "b", b, a.shape());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Exchange> cases(Draw& draw) {
    std::vector<Exchange> list;
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{7}, Shape{3, 33}, Shape{5, 20001}})
      list.push_back({InOut{draw.real(shape)}, InOut{draw.real(shape)}});
    return list;
  }
};

}  // namespace videomae
