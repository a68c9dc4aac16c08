// Frames under an affine map on the CPU: rows are pieces. The three channels of a pixel go through the same numbers, so
// they are one vector; taps are found once a pixel; and an axis along which nothing is moved, or by whole pixels, costs
// nothing.
#include <cmath>

#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

/// The three channels of a pixel; the fourth number is not used.
typedef double Pixel __attribute__((vector_size(32)));

inline __attribute__((always_inline)) Pixel load(const uint8_t* p) {
  return Pixel{static_cast<double>(p[0]), static_cast<double>(p[1]), static_cast<double>(p[2]), 0};
}

/// Between v[1] and v[2], at `at` in [0, 1): a cubic with the coefficient -1.
inline __attribute__((always_inline)) Pixel between(const Pixel (&v)[4], double at) {
  const Pixel p2 = -v[0] + v[2], p3 = 2 * (v[0] - v[1]) + v[2] - v[3], p4 = -v[0] + v[1] - v[2] + v[3];
  return v[1] + at * (p2 + at * (p3 + at * p4));
}

inline __attribute__((always_inline)) Pixel between(const Pixel (&v)[2], double at) {
  return v[0] + (v[1] - v[0]) * at;
}

/// Places of the taps of one axis, as distances in bytes, and where between the middle two the result lies.
template <int taps>
struct Taps {
  int64_t place[taps];
  double at;

  /// @param x  half a pixel less than where the axis is read, at least -1/2
  Taps(double x, int64_t size, int64_t stride) {
    constexpr int before = taps / 2 - 1;
    const int64_t cut = static_cast<int64_t>(x),
                  low = cut - (x < cut);  // floor, which the baseline has no instruction for
    at = x - low;
    for (int k = 0; k < taps; ++k) place[k] = std::min(std::max<int64_t>(low - before + k, 0), size - 1) * stride;
  }
};

/// One row at the taps of the columns. At a whole pixel it is that pixel: the polynomial adds zeros to it.
template <int taps>
inline __attribute__((always_inline)) Pixel along(const uint8_t* row, const Taps<taps>& columns) {
  if (columns.at == 0) return load(row + columns.place[taps / 2 - 1]);
  Pixel v[taps];
  for (int k = 0; k < taps; ++k) v[k] = load(row + columns.place[k]);
  return between(v, columns.at);
}

template <int taps>
void map_row(const Affine& op, const uint8_t* frame, int64_t row, uint8_t* out) {
  const int64_t width = op.width(), height = op.height();
  for (int64_t column = 0; column < width; ++column, out += 3) {
    const double x = op.a * (column + 0.5) + op.b * (row + 0.5) + op.c;
    const double y = op.d * (column + 0.5) + op.e * (row + 0.5) + op.f;
    if (!(x >= 0 && x < width && y >= 0 && y < height)) {
      out[0] = out[1] = out[2] = static_cast<uint8_t>(op.fill);
      continue;
    }
    const Taps<taps> columns(x - 0.5, width, 3), rows(y - 0.5, height, 3 * width);
    Pixel value;
    if (rows.at == 0) {  // shears and shifts along rows
      value = along(frame + rows.place[taps / 2 - 1], columns);
    } else {
      Pixel v[taps];
      for (int r = 0; r < taps; ++r) v[r] = along(frame + rows.place[r], columns);
      value = between(v, rows.at);
    }
    for (int c = 0; c < 3; ++c) out[c] = value[c] <= 0 ? 0 : value[c] >= 255 ? 255 : static_cast<uint8_t>(value[c]);
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
