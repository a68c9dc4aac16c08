// Colour operations on the CPU: frames are pieces. Most are a table of 256 values a channel, made from the frame's
// statistics where they have any; color looks at a pixel's luminance, sharpness at its neighbours.
#include <cmath>

#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

using Op = ColorTransform;
using Table = uint8_t[256];

/// (19595 R + 38470 G + 7471 B + 1/2) / 65536: what Pillow calls L.
int luminance(const uint8_t* p) { return (19595 * p[0] + 38470 * p[1] + 7471 * p[2] + 32768) >> 16; }

/// d + f (x - d), each step rounded to f32 (this file is compiled without fused multiply-adds), then cut to 0..255 and
/// truncated.
uint8_t blend(int d, int x, float f) {
  const float t = static_cast<float>(d) + f * static_cast<float>(x - d);
  return t <= 0 ? 0 : t >= 255 ? 255 : static_cast<uint8_t>(t);
}

/// Stretches the levels in use to all of them.
void auto_contrast(const int64_t* histogram, Table& table) {
  int low = 0, high = 255;
  while (low < 256 && histogram[low] == 0) ++low;
  while (high >= 0 && histogram[high] == 0) --high;
  for (int i = 0; i < 256; ++i) {
    if (high <= low) {
      table[i] = static_cast<uint8_t>(i);
      continue;
    }
    const double scale = 255.0 / (high - low), offset = -low * scale;
    const double value = std::trunc(i * scale + offset);
    table[i] = static_cast<uint8_t>(std::min(255.0, std::max(0.0, value)));
  }
}

/// Makes the levels' cumulative histogram a ramp.
void equalize(const int64_t* histogram, Table& table) {
  int64_t sum = 0, last = 0;
  int used = 0;
  for (int i = 0; i < 256; ++i) {
    if (histogram[i] == 0) continue;
    sum += histogram[i], last = histogram[i], ++used;
  }
  const int64_t step = (sum - last) / 255;
  int64_t n = step / 2;
  for (int i = 0; i < 256; ++i) {
    table[i] = static_cast<uint8_t>(used <= 1 || step == 0 ? i : std::min<int64_t>(255, n / step));
    n += histogram[i];
  }
}

/// What a value below 256 becomes without a look at the frame.
uint8_t fixed_value(const Op& op, int value) {
  const int amount = static_cast<int>(op.amount);
  switch (op.kind.value) {
    case Op::invert:
      return static_cast<uint8_t>(255 - value);
    case Op::posterize:
      return static_cast<uint8_t>(value & ~((1 << (8 - amount)) - 1));
    case Op::solarize:
      return static_cast<uint8_t>(value < amount ? value : 255 - value);
    case Op::solarize_add:
      return static_cast<uint8_t>(value < 128 ? std::min(255, value + amount) : value);
    default:  // brightness
      return blend(0, value, static_cast<float>(op.amount));
  }
}

void fill_tables(const Op& op, const uint8_t* frame, Table (&tables)[3]) {
  const int64_t pixels = op.height() * op.width();
  const int kind = op.kind.value;
  if (kind == Op::auto_contrast || kind == Op::equalize) {
    int64_t histogram[3][256] = {};
    for (int64_t i = 0; i < 3 * pixels; ++i) ++histogram[i % 3][frame[i]];
    for (int c = 0; c < 3; ++c) (kind == Op::equalize ? equalize : auto_contrast)(histogram[c], tables[c]);
    return;
  }
  int mean = 0;
  if (kind == Op::contrast) {
    int64_t sum = 0;
    for (int64_t i = 0; i < pixels; ++i) sum += luminance(frame + 3 * i);
    mean = static_cast<int>(static_cast<double>(sum) / static_cast<double>(pixels) + 0.5);
  }
  for (int value = 0; value < 256; ++value) {
    const uint8_t result =
        kind == Op::contrast ? blend(mean, value, static_cast<float>(op.amount)) : fixed_value(op, value);
    for (int c = 0; c < 3; ++c) tables[c][value] = result;
  }
}

void through_tables(const Op& op, const uint8_t* frame, uint8_t* out) {
  Table tables[3];
  fill_tables(op, frame, tables);
  for (int64_t i = 0, n = op.height() * op.width(); i < n; ++i)
    for (int c = 0; c < 3; ++c) out[3 * i + c] = tables[c][frame[3 * i + c]];
}

void change_color(const Op& op, const uint8_t* frame, uint8_t* out) {
  const float f = static_cast<float>(op.amount);
  for (int64_t i = 0, n = op.height() * op.width(); i < n; ++i) {
    const int gray = luminance(frame + 3 * i);
    for (int c = 0; c < 3; ++c) out[3 * i + c] = blend(gray, frame[3 * i + c], f);
  }
}

/// Away from, or towards, the frame smoothed by ones around a five; the border is as smooth as it was.
void change_sharpness(const Op& op, const uint8_t* frame, uint8_t* out) {
  const float f = static_cast<float>(op.amount);
  const int64_t height = op.height(), row = 3 * op.width();
  for (int64_t y = 0; y < height; ++y)
    for (int64_t i = 0; i < row; ++i) {
      const uint8_t* p = frame + y * row + i;
      int smooth = *p;
      if (y > 0 && y < height - 1 && i >= 3 && i < row - 3) {
        const int sum =
            4 * p[0] + p[-3] + p[0] + p[3] + p[-row - 3] + p[-row] + p[-row + 3] + p[row - 3] + p[row] + p[row + 3];
        smooth = (2 * sum + 13) / 26;  // to nearest: a sum over 13 is never halfway
      }
      out[y * row + i] = blend(smooth, *p, f);
    }
}

}  // namespace

void run(ColorTransform& op, const Context&) {
  const int64_t bytes = op.height() * op.width() * 3;
  const auto frame_kernel = op.by_table()                ? through_tables
                            : op.kind.value == Op::color ? change_color
                                                         : change_sharpness;
  parallel_for(op.frames(), [&](int64_t t) {
    frame_kernel(op, op.x.data<uint8_t>() + t * bytes, op.y.data<uint8_t>() + t * bytes);
  });
}

}  // namespace videomae::cpu
