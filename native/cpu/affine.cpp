// Frames under an affine map on the CPU: rows are pieces.
#include <cmath>

#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

/// Between v1 and v2, at `at` in [0, 1): a cubic with the coefficient -1.
double cubic(double v0, double v1, double v2, double v3, double at) {
  const double p2 = -v0 + v2, p3 = 2 * (v0 - v1) + v2 - v3, p4 = -v0 + v1 - v2 + v3;
  return v1 + at * (p2 + at * (p3 + at * p4));
}

double linear(double v0, double v1, double at) { return v0 + (v1 - v0) * at; }

/// The frame at (x, y), which is half a pixel less than where it is read.
template <int taps>
double sample(const uint8_t* frame, int64_t width, int64_t height, int channel, double x, double y) {
  constexpr int before = taps / 2 - 1;
  const int64_t left = static_cast<int64_t>(std::floor(x)), top = static_cast<int64_t>(std::floor(y));
  double rows[taps];
  for (int r = 0; r < taps; ++r) {
    const int64_t row = std::min(std::max<int64_t>(top - before + r, 0), height - 1);
    double v[taps];
    for (int k = 0; k < taps; ++k) {
      const int64_t column = std::min(std::max<int64_t>(left - before + k, 0), width - 1);
      v[k] = frame[(row * width + column) * 3 + channel];
    }
    if constexpr (taps == 4)
      rows[r] = cubic(v[0], v[1], v[2], v[3], x - left);
    else
      rows[r] = linear(v[0], v[1], x - left);
  }
  if constexpr (taps == 4)
    return cubic(rows[0], rows[1], rows[2], rows[3], y - top);
  else
    return linear(rows[0], rows[1], y - top);
}

template <int taps>
void map_row(const Affine& op, const uint8_t* frame, int64_t row, uint8_t* out) {
  const int64_t width = op.width(), height = op.height();
  for (int64_t column = 0; column < width; ++column, out += 3) {
    const double x = op.a * (column + 0.5) + op.b * (row + 0.5) + op.c;
    const double y = op.d * (column + 0.5) + op.e * (row + 0.5) + op.f;
    const bool inside = x >= 0 && x < width && y >= 0 && y < height;
    for (int c = 0; c < 3; ++c) {
      const double value = inside ? sample<taps>(frame, width, height, c, x - 0.5, y - 0.5) : op.fill;
      out[c] = value <= 0 ? 0 : value >= 255 ? 255 : static_cast<uint8_t>(value);
    }
  }
}

}  // namespace

void run(Affine& op, const Context&) {
  const int64_t height = op.height(), row_bytes = op.width() * 3;
  const uint8_t* x = op.x.data<uint8_t>();
  uint8_t* y = op.y.data<uint8_t>();
  parallel_for(op.frames() * height, [&](int64_t piece) {
    const uint8_t* frame = x + piece / height * height * row_bytes;
    const auto map = op.filter.value == Affine::bicubic ? map_row<4> : map_row<2>;
    map(op, frame, piece % height, y + piece * row_bytes);
  });
}

}  // namespace videomae::cpu
