// Fills y with random numbers. Element i is a pure function of (seed, stream, i), computed in double and rounded once,
// so f32 and f64 agree, and neither threads nor devices nor what was drawn before change a number. With the key of a
// training step, the stream is that of the step and of `stream`, which names what it is for.
//   uniform          low + (high - low) U
//   normal           mean + std Z, Z by Box-Muller from the two uniforms 2 i and 2 i + 1
//   truncatedNormal  mean + std Z within [low, high]: by inversion, u uniform between 2 Phi(a) - 1 and 2 Phi(b) - 1
//   with
//                    a = (low - mean) / std and b likewise, Z = sqrt(2) erfinv(u), clamped (spec 1.8)
#pragma once

#include "ops/op.h"

namespace videomae {

/// The key of a random op. Throws Error when a number is outside [0, 2^32).
inline PhiloxKey check_key(const char* op, int64_t seed, int64_t stream) {
  for (auto [field, value] : {std::pair{"seed", seed}, {"stream", stream}})
    check(value >= 0 && value < (int64_t{1} << 32), op, std::string(field) + " from 0 to 2^32 - 1",
          std::to_string(value));
  return {static_cast<uint32_t>(seed), static_cast<uint32_t>(stream)};
}

/// That a step's key is f64 (3), integers: seed, update, micro-step.
inline void check_step_key(const char* op, const In& key) {
  check_dtype(op, "key", key, {DType::f64});
  check_shape(op, "key", key, {3});
  if (rehearsing() || !key.tensor.device().is_cpu()) return;  // there are no values to be seen
  for (int i = 0; i < 3; ++i) {
    const double value = key.data<double>()[i];
    check(value >= 0 && value < 9007199254740992.0 && value == std::floor(value), op, "a key of integers below 2^53",
          std::to_string(value));
  }
}

struct Random {
  static constexpr const char* name = "random";
  static constexpr uint32_t use = 0x144F0C62u;  // FNV-1a of "random": its streams are nobody else's
  enum Kind { uniform, normal, truncated_normal };
  InOut y;
  OptionalIn key;  // f64 (3), of a training step: seed, update, micro-step
  Choice kind{{"uniform", "normal", "truncatedNormal"}};
  int64_t seed = 0, stream = 0;  // with a key, the seed is the step's
  double low = 0, high = 1;      // uniform: the range; truncatedNormal: the cuts, absolute values
  double mean = 0, std = 1;      // normal and truncatedNormal

  template <class V>
  void visit(V& v) {
    v("y", y), v("key", key), v("kind", kind), v("seed", seed), v("stream", stream);
    v("low", low), v("high", high), v("mean", mean), v("std", std);
  }

  void infer() {
    check_real(name, "y", y);
    check_key(name, seed, stream);
    if (key.given()) check_step_key(name, key);
    check(low <= high && std::isfinite(high - low), name, "finite low and high, low not above high",
          std::to_string(low) + " and " + std::to_string(high));
    check(std > 0 && std::isfinite(std) && std::isfinite(mean), name, "a finite mean and std above 0",
          std::to_string(mean) + " and " + std::to_string(std));
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Random> cases(Draw& draw) {
    std::vector<Random> list;
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{5, 20001}})
      for (int kind = uniform; kind <= truncated_normal; ++kind) {
        Random op{InOut{draw.real(shape)}};
        op.kind.value = kind;
        if (shape.rank() == 1) op.key.tensor = draw.step_key().tensor;
        op.seed = 5, op.stream = 4294967295;
        op.low = kind == uniform ? -0.5 : -0.03, op.high = 0.02, op.mean = 0.001, op.std = 0.02;
        list.push_back(op);
      }
    return list;
  }
};

}  // namespace videomae
