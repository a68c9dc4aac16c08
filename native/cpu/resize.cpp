// Resizing without antialiasing on the CPU: frames are pieces. Taps of columns are made once; a row of the result reads
// two rows of the frame.
#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

/// One output position of OpenCV's linear resize: two neighbours and their weights in 11-bit fixed point.
struct FixedTap {
  int32_t first, second, weight_first, weight_second;
};

/// Taps of output positions [from, from + count) of an axis resized from `in` to `out`.
std::vector<FixedTap> fixed_taps(int64_t in, int64_t out, int64_t from, int64_t count) {
  std::vector<FixedTap> taps(count);
  const double scale = static_cast<double>(in) / out;
  for (int64_t d = 0; d < count; ++d) {
    const float position = static_cast<float>((from + d + 0.5) * scale - 0.5);
    int32_t i = static_cast<int32_t>(std::floor(position));
    float fraction = position - i;
    if (i < 0) i = 0, fraction = 0;
    if (i >= in - 1) i = static_cast<int32_t>(in - 1), fraction = 0;
    taps[d] = {i, static_cast<int32_t>(std::min<int64_t>(i + 1, in - 1)),
               static_cast<int32_t>(std::rint((1 - fraction) * 2048)),
               static_cast<int32_t>(std::rint(fraction * 2048))};
  }
  return taps;
}

/// One output position of bilinear interpolation: two neighbours, and the weight of the second.
struct RealTap {
  int64_t first, second;
  float weight;
};

std::vector<RealTap> real_taps(int64_t in, int64_t out) {
  std::vector<RealTap> taps(out);
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  for (int64_t d = 0; d < out; ++d) {
    const float position = std::max(0.0f, scale * (static_cast<float>(d) + 0.5f) - 0.5f);
    const int64_t i = std::min(static_cast<int64_t>(position), in - 1);
    taps[d] = {i, std::min(i + 1, in - 1), position - static_cast<float>(i)};
  }
  return taps;
}

}  // namespace

void run(ResizeLinear& op, const Context&) {
  const int64_t frames = op.x.shape()[0], height = op.x.shape()[1], width = op.x.shape()[2];
  const auto across = fixed_taps(width, op.width, op.left, op.crop_width);
  const auto down = fixed_taps(height, op.height, op.top, op.crop_height);
  const uint8_t* x = op.x.data<uint8_t>();
  uint8_t* y = op.y.data<uint8_t>();
  parallel_for(frames, [&](int64_t t) {
    const uint8_t* frame = x + t * height * width * 3;
    uint8_t* out = y + t * op.crop_height * op.crop_width * 3;
    for (const FixedTap& row : down) {
      const uint8_t *upper = frame + row.first * width * 3, *lower = frame + row.second * width * 3;
      for (const FixedTap& column : across)
        for (int c = 0; c < 3; ++c) {
          const int64_t a = column.first * 3 + c, b = column.second * 3 + c;
          const int32_t high = upper[a] * column.weight_first + upper[b] * column.weight_second;
          const int32_t low = lower[a] * column.weight_first + lower[b] * column.weight_second;
          const int32_t sum = (((high >> 4) * row.weight_first) >> 16) + (((low >> 4) * row.weight_second) >> 16);
          *out++ = static_cast<uint8_t>((sum + 2) >> 2);
        }
    }
  });
}

void run(Interpolate& op, const Context&) {
  const int64_t frames = op.x.shape()[0], height = op.x.shape()[1], width = op.x.shape()[2], size = op.size;
  auto across = real_taps(op.width, size);
  if (op.flip) std::reverse(across.begin(), across.end());
  const auto down = real_taps(op.height, size);
  float mean[3] = {0, 0, 0}, scale[3] = {1, 1, 1};
  for (int c = 0; c < 3 && op.normalize; ++c) {
    mean[c] = static_cast<float>(channel_mean[c]);
    scale[c] = static_cast<float>(1 / channel_std[c]);
  }
  const uint8_t* x = op.x.data<uint8_t>();
  float* y = op.y.data<float>();
  parallel_for(frames, [&](int64_t t) {
    const uint8_t* box = x + ((t * height + op.top) * width + op.left) * 3;
    for (int64_t r = 0; r < size; ++r) {
      const uint8_t *upper = box + down[r].first * width * 3, *lower = box + down[r].second * width * 3;
      for (int64_t i = 0; i < size; ++i)
        for (int c = 0; c < 3; ++c) {
          const int64_t a = across[i].first * 3 + c, b = across[i].second * 3 + c;
          const float w = across[i].weight, v = down[r].weight;
          const float high = (1 - w) * (upper[a] / 255.0f) + w * (upper[b] / 255.0f);
          const float low = (1 - w) * (lower[a] / 255.0f) + w * (lower[b] / 255.0f);
          y[((c * frames + t) * size + r) * size + i] = ((1 - v) * high + v * low - mean[c]) * scale[c];
        }
    }
  });
}

}  // namespace videomae::cpu
