// y = x / keep * floor(keep + U), keep = 1 - probability: each element, or with perSample each row of the first axis
// (stochastic depth), is zeroed with that probability and scaled up otherwise. U is uniform number i of the stream of
// the step and the module for element, or row, i: the gradient is the same op applied to gradY.
#pragma once

#include "ops/random.h"

namespace videomae {

struct Dropout {
  static constexpr const char* name = "dropout";
  static constexpr uint32_t use = 0x2738A690u;  // FNV-1a of "dropout": its streams are nobody else's
  In x;
  In key;  // f64 (3), of a training step: seed, update, micro-step
  double probability = 0;
  int64_t path = 0;  // a number for the module, below 2^32
  bool per_sample = false;
  Out y;  // like x

  template <class V>
  void visit(V& v) {
    v("x", x), v("key", key), v("probability", probability), v("path", path), v("perSample", per_sample);
    v("y", y);
  }

  void infer() {
    check_real(name, "x", x);
    check(probability >= 0 && probability <= 1, name, "a probability from 0 to 1", std::to_string(probability));
    check_step_key(name, key);
    check(path >= 0 && path < (int64_t{1} << 32), name, "path from 0 to 2^32 - 1", std::to_string(path));
    check(!per_sample || x.shape().rank() >= 1, name, "x of shape [B, ...] with perSample", x.tensor.text());
    y.like(x);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Dropout> cases(Draw& draw) {
    std::vector<Dropout> list;
    for (const Shape& shape : {Shape{1}, Shape{0, 3}, Shape{7, 5, 3}, Shape{5, 20001}})
      for (double probability : {0.0, 0.3, 1.0})
        for (bool per_sample : {false, true})
          list.push_back({draw.real(shape), draw.step_key(), probability, 99, per_sample});
    return list;
  }
};

}  // namespace videomae
