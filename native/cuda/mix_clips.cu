// Mixing of clips: a thread a run of neighbouring pixels of a channel. Products and sums are rounded one by one, so
// that floats are mixed to the CPU's bits.
#include "cuda/elements.cuh"
#include "cuda/walk.cuh"
#include "ops/mix_clips.h"

namespace videomae::cuda {
namespace {

/// A batch (B, 3, T, H, W), as it is written; bytes are read as (B, T, H, W, 3).
struct Batch {
  int64_t clips, clip;  // pixels of a clip: 3 T H W
  Divisor width, height, frames, channels;
  int64_t count;  // pixels of all clips
  float mean[3], std[3];
};

struct Place {
  int64_t clip, channel, frame, row, column;

  __device__ __forceinline__ Place(const Batch& batch, int64_t pixel) {
    row = batch.width.split(pixel);
    column = pixel;
    frame = batch.height.split(row);
    channel = batch.frames.split(frame);
    clip = batch.channels.split(channel);
  }
};

template <int width>
__device__ __forceinline__ Floats<width> load_pixels(const float* video, const Batch& batch, const Place&,
                                                     int64_t pixel, int64_t clip_offset) {
  return load_floats<width>(video + pixel + clip_offset, batch.count - pixel);
}

template <int width>
__device__ __forceinline__ Floats<width> load_pixels(const uint8_t* video, const Batch& batch, const Place& at,
                                                     int64_t pixel, int64_t clip_offset) {
  static_assert(width == 1, "the channels of bytes lie side by side");
  const int64_t picture = batch.clip / 3;  // T H W: a pixel's place in its channel is that in its clip of bytes
  const int64_t place = pixel - at.clip * batch.clip - at.channel * picture;
  const uint8_t byte = video[at.clip * batch.clip + clip_offset + place * 3 + at.channel];
  return {{(static_cast<float>(byte) / 255 - batch.mean[at.channel]) / batch.std[at.channel]}};
}

template <int width, class Pixel>
__global__ void mix_clips(const Pixel* video, const float* lambdas, const int32_t* boxes, float* y, Batch batch) {
  dependent_launch_begin();
  const int64_t pixel = thread_number() * width;
  if (pixel >= batch.count) return;
  const Place at(batch, pixel);
  const float lambda = lambdas[at.clip], rest = 1 - lambda;
  const int32_t* box = boxes + 4 * at.clip;
  const bool cut = at.row >= box[0] && at.row < box[1];
  Floats<width> values = load_pixels<width>(video, batch, at, pixel, 0);
  const int64_t to_partner = (batch.clips - 1 - 2 * at.clip) * batch.clip;
  const Floats<width> partner = load_pixels<width>(video, batch, at, pixel, to_partner);
#pragma unroll
  for (int j = 0; j < width; ++j) {
    const int64_t column = at.column + j;
    if (cut && column >= box[2] && column < box[3])
      values.at[j] = partner.at[j];
    else if (lambda != 1)
      values.at[j] = __fadd_rn(__fmul_rn(values.at[j], lambda), __fmul_rn(partner.at[j], rest));
  }
  store_floats<width>(y + pixel, values);
}

template <int width, class Pixel>
void start(const MixClips& op, const Context& context, const Batch& batch) {
  launch_threads(context, mix_clips<width, Pixel>, batch.count / width, op.video.data<Pixel>(), op.lambda.data<float>(),
                 op.box.data<int32_t>(), op.y.data<float>(), batch);
}

}  // namespace

void run(MixClips& op, const Context& context) {
  check_f32(op.name, op.lambda.dtype());
  const TokenGrid g = op.pixels();
  Batch batch{g.batch,   3 * g.frames * g.height * g.width, Divisor(g.width), Divisor(g.height), Divisor(g.frames),
              Divisor(3)};
  batch.count = batch.clips * batch.clip;
  for (int c = 0; c < 3; ++c) {
    batch.mean[c] = static_cast<float>(channel_mean[c]);
    batch.std[c] = static_cast<float>(channel_std[c]);
  }
  if (g.bytes) return start<1, uint8_t>(op, context, batch);
  const bool wide = g.width % vector_width<float> == 0 && aligned(16, {op.video.tensor.data(), op.y.tensor.data()});
  with_width<float>(wide, [&](auto w) { start<decltype(w)::value, float>(op, context, batch); });
}

size_t workspace(const MixClips&) { return 0; }

}  // namespace videomae::cuda
