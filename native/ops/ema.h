// An exponential moving average, in place (spec 5.9): average = decay average + (1 - decay) x. The decay lies in a
// tensor, so a step that is captured once is right at every replay. Reads 8 bytes and writes 4 an element in f32.
#pragma once

#include "ops/op.h"

namespace videomae {

struct Ema {
  static constexpr const char* name = "ema";
  InOut average;  // any shape, wide
  In x;           // like average
  In decay;       // f64 ()

  template <class V>
  void visit(V& v) {
    v("average", average), v("x", x), v("decay", decay);
  }

  void infer() {
    check_wide(name, "average", average);
    check_same_dtype(name, "x", x, average);
    check_shape(name, "x", x, average.shape());
    check_dtype(name, "decay", decay, {DType::f64});
    check_shape(name, "decay", decay, {});
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Ema> cases(Draw& draw) {
    std::vector<Ema> list;
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{7}, Shape{3, 33}, Shape{5, 20001}}) {
      const Tensor decay = Tensor::empty({}, DType::f64);
      *decay.data<double>() = 0.75;
      list.push_back({InOut{draw.wide(shape)}, draw.wide(shape), In{decay}});
    }
    return list;
  }
};

}  // namespace videomae
