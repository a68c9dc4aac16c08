// y = x / keep * floor(keep + U), keep = 1 - probability: each element, or with perSample each row of the first axis
// (stochastic depth), is zeroed with that probability and scaled up otherwise. U is uniform number i of (seed, stream)
// for element, or row, i: the gradient is the same op applied to gradY.
#pragma once

#include "ops/random.h"

namespace videomae {

struct Dropout {
  static constexpr const char* name = "dropout";
  In x;
  double probability = 0;
  int64_t seed = 0, stream = 0;
  bool per_sample = false;
  Out y;  // like x

  template <class V>
  void visit(V& v) {
    v("x", x), v("probability", probability), v("seed", seed), v("stream", stream), v("perSample", per_sample);
    v("y", y);
  }

  PhiloxKey key() const { return {static_cast<uint32_t>(seed), static_cast<uint32_t>(stream)}; }

  void infer() {
    check_real(name, "x", x);
    check(probability >= 0 && probability <= 1, name, "a probability from 0 to 1", std::to_string(probability));
    check_key(name, seed, stream);
    check(!per_sample || x.shape().rank() >= 1, name, "x of shape [B, ...] with perSample", x.tensor.text());
    y.like(x);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Dropout> cases(Draw& draw) {
    std::vector<Dropout> list;
    for (const Shape& shape : {Shape{1}, Shape{0, 3}, Shape{7, 5, 3}, Shape{5, 20001}})
      for (double probability : {0.0, 0.3, 1.0})
        for (bool per_sample : {false, true}) list.push_back({draw.real(shape), probability, 3, 99, per_sample});
    return list;
  }
};

}  // namespace videomae
