// Mixing of clips on the CPU: the frames of a channel are pieces, and each row is up to three runs, of which the middle
// one is in the box. Compiled without contraction, so that a sum is that of two rounded products.
#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

template <class W>
W normalised(W value, int64_t) {
  return value;
}
template <class W>
W normalised(uint8_t byte, int64_t channel) {
  return (static_cast<W>(byte) / W{255} - static_cast<W>(channel_mean[channel])) / static_cast<W>(channel_std[channel]);
}

template <class W, class Pixel>
void mix(const MixClips& op) {
  const TokenGrid g = op.pixels();
  const int64_t stride = g.pixel_stride(0);  // no clip is mirrored
  parallel_for(g.batch * 3 * g.frames, [&](int64_t piece) {
    const int64_t clip = piece / (3 * g.frames), channel = piece / g.frames % 3, t = piece % g.frames;
    const W lambda = op.lambda.data<W>()[clip], rest = 1 - lambda;
    const int32_t* box = op.box.data<int32_t>() + 4 * clip;
    for (int64_t row = 0; row < g.height; ++row) {
      const int64_t pixel = (t * g.height + row) * g.width;
      const Pixel* own = op.video.data<Pixel>() + g.offset(clip, pixel, channel, 0, 0, 0);
      const Pixel* other = op.video.data<Pixel>() + g.offset(g.batch - 1 - clip, pixel, channel, 0, 0, 0);
      W* y = op.y.data<W>() + (piece * g.height + row) * g.width;
      const auto blend = [&](int64_t from, int64_t until) {
        for (int64_t x = from; x < until; ++x) {
          const W value = normalised<W>(own[x * stride], channel);
          y[x] = lambda == 1 ? value : value * lambda + normalised<W>(other[x * stride], channel) * rest;
        }
      };
      const bool cut = row >= box[0] && row < box[1];
      const int64_t left = cut ? std::clamp<int64_t>(box[2], 0, g.width) : g.width;
      const int64_t right = cut ? std::clamp<int64_t>(box[3], left, g.width) : g.width;
      blend(0, left);
      for (int64_t x = left; x < right; ++x) y[x] = normalised<W>(other[x * stride], channel);
      blend(right, g.width);
    }
  });
}

}  // namespace

void run(MixClips& op, const Context&) {
  with_wide(op.lambda.dtype(), [&](auto t) {
    using W = decltype(t);
    op.pixels().bytes ? mix<W, uint8_t>(op) : mix<W, W>(op);
  });
}

}  // namespace videomae::cpu
