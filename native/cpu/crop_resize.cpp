// Crop and resize on the CPU: frames are pieces; each pass walks rows in memory order, so the inner loops vectorise.
#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

constexpr int fraction_bits = 22;
constexpr int32_t half = 1 << (fraction_bits - 1);

/// Output i is the sum over k < counts[i] of weights[i * taps + k] * input[starts[i] + k].
struct Taps {
  int64_t taps;
  std::vector<int32_t> starts, counts, weights;

  Taps(int64_t from, int64_t to) {
    const double scale = static_cast<double>(from) / to, reach = std::max(scale, 1.0);
    taps = static_cast<int64_t>(std::ceil(reach)) * 2 + 1;
    starts.resize(to), counts.resize(to), weights.assign(to * taps, 0);
    std::vector<double> exact(taps);
    for (int64_t i = 0; i < to; ++i) {
      const double centre = (i + 0.5) * scale;
      const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(centre - reach + 0.5));
      const int64_t end = std::min(from, static_cast<int64_t>(centre + reach + 0.5));
      double sum = 0;
      for (int64_t j = first; j < end; ++j)
        sum += exact[j - first] = std::max(0.0, 1 - std::abs(j - centre + 0.5) * (1 / reach));
      starts[i] = static_cast<int32_t>(first);
      counts[i] = static_cast<int32_t>(end - first);
      for (int64_t k = 0; k < end - first; ++k)
        weights[i * taps + k] = static_cast<int32_t>(exact[k] / sum * (1 << fraction_bits) + 0.5);
    }
  }
};

uint8_t rounded(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> fraction_bits, 0, 255)); }

/// One row of pixels to `size` pixels.
void resize_row(const uint8_t* in, const Taps& taps, int64_t size, uint8_t* out) {
  for (int64_t i = 0; i < size; ++i) {
    int32_t red = half, green = half, blue = half;
    const uint8_t* pixel = in + 3 * taps.starts[i];
    const int32_t* weight = &taps.weights[i * taps.taps];
    for (int32_t k = 0; k < taps.counts[i]; ++k, pixel += 3) {
      red += weight[k] * pixel[0];
      green += weight[k] * pixel[1];
      blue += weight[k] * pixel[2];
    }
    out[3 * i] = rounded(red), out[3 * i + 1] = rounded(green), out[3 * i + 2] = rounded(blue);
  }
}

/// Row i of the result from the rows of the first pass, `stride` bytes each.
void resize_column(const uint8_t* rows, int64_t stride, const Taps& taps, int64_t i, uint8_t* out) {
  constexpr int64_t block = 256;
  for (int64_t from = 0; from < stride; from += block) {
    const int64_t count = std::min(block, stride - from);
    int32_t sums[block];
    std::fill_n(sums, count, half);
    for (int32_t k = 0; k < taps.counts[i]; ++k) {
      const uint8_t* row = rows + (taps.starts[i] + k) * stride + from;
      const int32_t weight = taps.weights[i * taps.taps + k];
      for (int64_t x = 0; x < count; ++x) sums[x] += weight * row[x];
    }
    for (int64_t x = 0; x < count; ++x) out[from + x] = rounded(sums[x]);
  }
}

}  // namespace

void run(CropResize& op, const Context& context) {
  const int64_t frames = op.x.shape()[0], height = op.x.shape()[1], width = op.x.shape()[2], stride = op.out_width * 3;
  const Taps across(op.width, op.out_width), down(op.height, op.out_height);
  const uint8_t* x = op.x.data<uint8_t>();
  uint8_t *rows = static_cast<uint8_t*>(context.workspace), *y = op.y.data<uint8_t>();
  parallel_for(frames, [&](int64_t t) {
    uint8_t* pass = rows + t * op.height * stride;
    for (int64_t r = 0; r < op.height; ++r)
      resize_row(x + ((t * height + op.top + r) * width + op.left) * 3, across, op.out_width, pass + r * stride);
    for (int64_t i = 0; i < op.out_height; ++i)
      resize_column(pass, stride, down, i, y + (t * op.out_height + i) * stride);
  });
}

}  // namespace videomae::cpu
