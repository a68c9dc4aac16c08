// Stored pictures to RGB on the CPU. Pieces are bands of rows. A row is converted into three planes of bytes, a loop
// that vectorises, and then interleaved to where the picture's orientation puts it.
#include <cstring>

#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

constexpr int64_t band = 32;

using Factors = RgbFactors;

/// A row of each colour, and what chroma adds to each.
struct Rows {
  std::vector<uint8_t> red, green, blue;
  std::vector<int32_t> add_red, add_green, add_blue;
  explicit Rows(int64_t width)
      : red(width), green(width), blue(width), add_red(width), add_green(width), add_blue(width) {}
};

/// Sample number i of a row, which may begin at any byte.
template <class Sample>
Sample sample_at(const Sample* row, int64_t i) {
  Sample sample;
  std::memcpy(&sample, reinterpret_cast<const char*>(row) + i * static_cast<int64_t>(sizeof sample), sizeof sample);
  return sample;
}

/// A row of samples of one plane, brought to 8 bit.
template <class Sample>
void scale_row(const Sample* in, int64_t width, const Factors& f, uint8_t* out) {
  for (int64_t i = 0; i < width; ++i) out[i] = f.rounded((f.sample(sample_at(in, i)) - f.black) * f.luma + f.half);
}

/// What a row of chroma adds, at every luma sample.
template <class Sample>
void spread_chroma(const Sample* u, const Sample* v, int64_t width, int64_t log2, const Factors& f, Rows& rows) {
  int32_t *red = rows.add_red.data(), *green = rows.add_green.data(), *blue = rows.add_blue.data();
  for (int64_t x = 0; x < width; ++x) {
    const int32_t cu = f.sample(sample_at(u, x >> log2)) - f.middle, cv = f.sample(sample_at(v, x >> log2)) - f.middle;
    red[x] = cv * f.red_v + f.half;
    green[x] = cu * f.green_u + cv * f.green_v + f.half;
    blue[x] = cu * f.blue_u + f.half;
  }
}

template <class Sample>
void colour_row(const Sample* in, int64_t width, const Factors& f, Rows& rows) {
  const int32_t *add_red = rows.add_red.data(), *add_green = rows.add_green.data(), *add_blue = rows.add_blue.data();
  uint8_t *red = rows.red.data(), *green = rows.green.data(), *blue = rows.blue.data();
  for (int64_t x = 0; x < width; ++x) {
    const int32_t luma = (f.sample(sample_at(in, x)) - f.black) * f.luma;
    red[x] = f.rounded(luma + add_red[x]);
    green[x] = f.rounded(luma + add_green[x]);
    blue[x] = f.rounded(luma + add_blue[x]);
  }
}

void interleave(const uint8_t* red, const uint8_t* green, const uint8_t* blue, int64_t stride, int64_t width,
                uint8_t* out, int64_t step) {
  if (step == 3 && stride == 1) {
    for (int64_t x = 0; x < width; ++x) out[3 * x] = red[x], out[3 * x + 1] = green[x], out[3 * x + 2] = blue[x];
    return;
  }
  for (int64_t x = 0; x < width; ++x, out += step)
    out[0] = red[x * stride], out[1] = green[x * stride], out[2] = blue[x * stride];
}

/// Rows [from, until) of one picture; `out` is where its first pixel is shown, `step_x` and `step_y` lead to others.
template <class Sample>
void convert(const FrameToRgb& op, const Factors& f, const Sample* in, int64_t from, int64_t until, uint8_t* out,
             int64_t step_x, int64_t step_y) {
  const int64_t width = op.width, plane = width * op.height, chroma = op.chroma_width();
  Rows rows(width);
  int64_t spread = -1;
  for (int64_t row = from; row < until; ++row) {
    const Sample* first = in + row * width;
    const uint8_t *red = rows.red.data(), *green = rows.green.data(), *blue = rows.blue.data();
    int64_t stride = 1;
    if (op.model.value == FrameToRgb::yuv) {
      const int64_t chroma_row = row >> op.chroma_y;
      const Sample *u = in + plane + chroma_row * chroma, *v = u + chroma * op.chroma_height();
      if (chroma_row != spread) {
        if (op.chroma_x == 1)  // a constant, so that the loop vectorises
          spread_chroma(u, v, width, 1, f, rows);
        else
          spread_chroma(u, v, width, op.chroma_x, f, rows);
      }
      spread = chroma_row;
      colour_row(first, width, f, rows);
    } else if (op.model.value == FrameToRgb::gray) {
      scale_row(first, width, f, rows.red.data());
      green = blue = red;
    } else if (op.model.value == FrameToRgb::gbr) {
      scale_row(first, width, f, rows.green.data());
      scale_row(first + plane, width, f, rows.blue.data());
      scale_row(first + 2 * plane, width, f, rows.red.data());
    } else {
      red = reinterpret_cast<const uint8_t*>(in) + row * width * 3, green = red + 1, blue = red + 2, stride = 3;
    }
    interleave(red, green, blue, stride, width, out + row * step_y, step_x);
  }
}

// One version for processors with 32-byte integer vectors and one for all: the arithmetic is exact, so both give the
// same bits.
#if defined(__x86_64__)
#define VIDEOMAE_WIDE_INTEGERS __attribute__((flatten, target_clones("avx2", "default")))
#else
#define VIDEOMAE_WIDE_INTEGERS
#endif

VIDEOMAE_WIDE_INTEGERS void convert_bytes(const FrameToRgb& op, const Factors& f, const uint8_t* in, int64_t from,
                                          int64_t until, uint8_t* out, int64_t step_x, int64_t step_y) {
  convert(op, f, in, from, until, out, step_x, step_y);
}

VIDEOMAE_WIDE_INTEGERS void convert_words(const FrameToRgb& op, const Factors& f, const uint16_t* in, int64_t from,
                                          int64_t until, uint8_t* out, int64_t step_x, int64_t step_y) {
  convert(op, f, in, from, until, out, step_x, step_y);
}

}  // namespace

void run(FrameToRgb& op, const Context&) {
  const Factors factors(op);
  const int64_t bytes = op.bytes(), pixels = op.width * op.height * 3;
  const int64_t across = op.y.shape[2], down = op.y.shape[1];
  int64_t step_x = 3, step_y = across * 3, origin = 0;
  if (op.mirror_x) origin += (across - 1) * 3, step_x = -step_x;
  if (op.mirror_y) origin += (down - 1) * across * 3, step_y = -step_y;
  if (op.transpose) std::swap(step_x, step_y);
  const uint8_t* x = op.x.data<uint8_t>();
  uint8_t* y = op.y.data<uint8_t>();
  const int64_t bands = (op.height + band - 1) / band;
  parallel_for(op.x.shape()[0] * bands, [&](int64_t piece) {
    const int64_t t = piece / bands, from = piece % bands * band, until = std::min(op.height, from + band);
    const uint8_t* in = x + t * bytes;
    uint8_t* out = y + t * pixels + origin;
    if (op.depth > 8)
      convert_words(op, factors, reinterpret_cast<const uint16_t*>(in), from, until, out, step_x, step_y);
    else
      convert_bytes(op, factors, in, from, until, out, step_x, step_y);
  });
}

}  // namespace videomae::cpu
