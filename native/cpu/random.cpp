// Random fills. Cost: one Philox block (uniform: two elements a block), plus the transform.
#include <cmath>

#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

constexpr double pi = 3.14159265358979323846, sqrt_2 = 1.41421356237309504880;

/// The inverse of erf: Winitzki's closed form ("A handy approximation for the error function", 2008; 2e-3), then two of
/// Halley's steps, each of which triples the digits. The residual is taken from erfc, which is exact near 1.
double erf_inverse(double x) {
  const double a = std::abs(x);
  if (!(a < 1)) return a == 1 ? std::copysign(INFINITY, x) : NAN;
  constexpr double c = 0.147;
  const double log_term = std::log1p(-a * a), t = 2 / (pi * c) + log_term / 2;
  double z = std::sqrt(std::sqrt(t * t - log_term / c) - t);
  for (int step = 0; step < 2; ++step) {
    const double e = ((1 - a) - std::erfc(z)) / (2 / std::sqrt(pi) * std::exp(-z * z));
    z -= e / (1 + z * e);
  }
  return std::copysign(z, x);
}

/// Element i of a standard normal stream; 1 - U keeps the logarithm finite.
double standard_normal(PhiloxKey key, uint64_t i) {
  const double radius = std::sqrt(-2 * std::log(1 - philox_uniform(key, 2 * i)));
  return radius * std::cos(2 * pi * philox_uniform(key, 2 * i + 1));
}

template <class T, class F>
void fill(const Random& op, F f) {
  T* y = op.y.data<T>();
  for_elements(op.y.elements(), [&](int64_t from, int64_t until) {
    for (int64_t i = from; i < until; ++i) y[i] = convert<T>(f(i));
  });
}

template <class T>
void run(const Random& op) {
  const PhiloxKey key = op.key.given()
                            ? philox_step_key(op.key.data<double>(), Random::use, static_cast<uint32_t>(op.stream))
                            : PhiloxKey{static_cast<uint32_t>(op.seed), static_cast<uint32_t>(op.stream)};
  const double low = op.low, high = op.high, mean = op.mean, std = op.std;
  switch (op.kind.value) {
    case Random::uniform:
      return fill<T>(op, [=](int64_t i) { return low + (high - low) * philox_uniform(key, i); });
    case Random::normal:
      return fill<T>(op, [=](int64_t i) { return mean + std * standard_normal(key, i); });
    default: {
      const double from = std::erf((low - mean) / std / sqrt_2), until = std::erf((high - mean) / std / sqrt_2);
      return fill<T>(op, [=](int64_t i) {
        const double z = sqrt_2 * erf_inverse(from + (until - from) * philox_uniform(key, i));
        return std::min(high, std::max(low, mean + std * z));
      });
    }
  }
}

}  // namespace

void run(Random& op, const Context&) {
  with_real(op.y.dtype(), [&](auto t) { run<decltype(t)>(op); });
}

}  // namespace videomae::cpu
