// Frames under an affine map, a thread a colour of a pixel: 4 or 16 bytes read, one written. Positions and filters are
// computed in f64 and rounded after each operation, as on the CPU, so that bytes agree.
#include "cuda/elements.cuh"
#include "cuda/walk.cuh"
#include "ops/affine.h"

namespace videomae::cuda {
namespace {

struct Map {
  double a, b, c, d, e, f;
};

__device__ __forceinline__ double times(double a, double b) { return __dmul_rn(a, b); }
__device__ __forceinline__ double plus(double a, double b) { return __dadd_rn(a, b); }

/// Between v[1] and v[2], at `at` in [0, 1): a cubic with the coefficient -1.
__device__ __forceinline__ double between(const double (&v)[4], double at) {
  const double p2 = plus(-v[0], v[2]), p3 = plus(plus(2 * plus(v[0], -v[1]), v[2]), -v[3]);
  const double p4 = plus(plus(plus(-v[0], v[1]), -v[2]), v[3]);
  return plus(v[1], times(at, plus(p2, times(at, plus(p3, times(at, p4))))));
}

__device__ __forceinline__ double between(const double (&v)[2], double at) {
  return plus(v[0], times(plus(v[1], -v[0]), at));
}

/// x and y (T, H, W, 3)
template <int taps>
__global__ void affine(const uint8_t* x, uint8_t* y, Map map, int64_t width, int64_t height, Divisor colours,
                       Divisor columns, Divisor rows, double fill, int64_t count) {
  dependent_launch_begin();
  constexpr int before = taps / 2 - 1;
  const int64_t number = thread_number();
  if (number >= count) return;
  int64_t colour = number;
  int64_t column = colours.split(colour);
  int64_t row = columns.split(column);
  const int64_t frame = rows.split(row);
  const double across = plus(plus(times(map.a, column + 0.5), times(map.b, row + 0.5)), map.c);
  const double down = plus(plus(times(map.d, column + 0.5), times(map.e, row + 0.5)), map.f);
  double value = fill;
  if (across >= 0 && across < width && down >= 0 && down < height) {
    const double left = floor(plus(across, -0.5)), top = floor(plus(down, -0.5));
    double lines[taps];
#pragma unroll
    for (int r = 0; r < taps; ++r) {
      const int64_t line = min(max(static_cast<int64_t>(top) - before + r, int64_t{0}), height - 1);
      double v[taps];
#pragma unroll
      for (int k = 0; k < taps; ++k) {
        const int64_t place = min(max(static_cast<int64_t>(left) - before + k, int64_t{0}), width - 1);
        v[k] = x[((frame * height + line) * width + place) * 3 + colour];
      }
      lines[r] = between(v, plus(plus(across, -0.5), -left));
    }
    value = between(lines, plus(plus(down, -0.5), -top));
  }
  y[number] = value <= 0 ? 0 : value >= 255 ? 255 : static_cast<uint8_t>(value);
}

}  // namespace

void run(Affine& op, const Context& context) {
  const int64_t width = op.width(), height = op.height(), count = op.x.elements();
  const Map map{op.a, op.b, op.c, op.d, op.e, op.f};
  const auto start = [&](auto kernel) {
    launch_threads(context, kernel, count, op.x.data<uint8_t>(), op.y.data<uint8_t>(), map, width, height, Divisor(3),
                   Divisor(width), Divisor(height), static_cast<double>(op.fill), count);
  };
  if (op.filter.value == Affine::bicubic)
    start(affine<4>);
  else
    start(affine<2>);
}

size_t workspace(const Affine&) { return 0; }

}  // namespace videomae::cuda
