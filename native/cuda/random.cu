// Random fills. An element is the CPU's: uniform ones to the bit, as nothing is contracted into a multiply-add; normal
// ones to the last bits of the logarithm, the cosine and erfc.
#include "core/convert.h"
#include "cuda/elements.cuh"
#include "ops/random.h"

namespace videomae::cuda {
namespace {

constexpr double pi = 3.14159265358979323846, sqrt_2 = 1.41421356237309504880;

/// The inverse of erf, as on the CPU: Winitzki's closed form, then two of Halley's steps.
__device__ double erf_inverse(double x) {
  const double a = fabs(x);
  if (!(a < 1)) return a == 1 ? copysign(INFINITY, x) : NAN;
  constexpr double c = 0.147;
  const double log_term = log1p(-a * a), t = 2 / (pi * c) + log_term / 2;
  double z = sqrt(sqrt(t * t - log_term / c) - t);
  for (int step = 0; step < 2; ++step) {
    const double e = ((1 - a) - erfc(z)) / (2 / sqrt(pi) * exp(-z * z));
    z -= e / (1 + z * e);
  }
  return copysign(z, x);
}

/// from + span * U, rounded after each operation.
__device__ double between(double from, double span, double uniform) {
  return __dadd_rn(from, __dmul_rn(span, uniform));
}

/// What all elements share.
struct Distribution {
  int kind;
  const double* step;  // of a training, or null
  uint32_t seed, stream;
  double low, high, mean, std;
  double from, span;  // uniform: of the result; truncatedNormal: of erf

  explicit Distribution(const Random& op)
      : kind(op.kind.value),
        step(op.key.data<double>()),
        seed(static_cast<uint32_t>(op.seed)),
        stream(static_cast<uint32_t>(op.stream)),
        low(op.low),
        high(op.high),
        mean(op.mean),
        std(op.std),
        from(op.low),
        span(op.high - op.low) {
    if (kind != Random::truncated_normal) return;
    from = std::erf((low - mean) / std / sqrt_2);
    span = std::erf((high - mean) / std / sqrt_2) - from;
  }

  __device__ double operator()(uint64_t i) const {
    const PhiloxKey key = step != nullptr ? philox_step_key(step, Random::use, stream) : PhiloxKey{seed, stream};
    if (kind == Random::uniform) return between(from, span, philox_uniform(key, i));
    if (kind == Random::normal) {
      const double radius = sqrt(-2 * log(1 - philox_uniform(key, 2 * i)));
      return between(mean, std, radius * cospi(2 * philox_uniform(key, 2 * i + 1)));
    }
    const double z = sqrt_2 * erf_inverse(between(from, span, philox_uniform(key, i)));
    return fmin(high, fmax(low, between(mean, std, z)));
  }
};

template <class T>
__global__ void random_elements(T* y, int64_t count, Distribution distribution) {
  dependent_launch_begin();
  const int64_t i = thread_number();
  if (i < count) y[i] = convert<T>(distribution(static_cast<uint64_t>(i)));
}

}  // namespace

void run(Random& op, const Context& context) {
  with_real(op.name, op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    const int64_t count = op.y.elements();
    launch_threads(context, random_elements<T>, count, op.y.data<T>(), count, Distribution(op));
  });
}

size_t workspace(const Random&) { return 0; }

}  // namespace videomae::cuda
