// The targets of the pre-training loss, built token by token in the registers of a warp and never stored (spec 3): the
// pixels of a token less their mean, times 1 / (deviation + 1e-6), channel by channel, or as they are in [0, 1].
//
// Bytes are summed as integers: sums of values and of squares are exact, so their variance does not cancel and a
// constant token has the target 0. Floating video takes a second pass for the variance. Pixels are read again out of
// cache for the target itself.
#pragma once

#include "cuda/clip_window.cuh"
#include "cuda/elements.cuh"
#include "cuda/reduce.cuh"
#include "cuda/walk.cuh"
#include "ops/token_grid.h"

namespace videomae::cuda {

/// A value for each channel.
template <class T>
struct Channels {
  T red, green, blue;

  /// Those of columns whose first is of channel `phase`: .red is that channel's, and so on.
  __device__ __forceinline__ Channels rotated(int phase) const {
    if (phase == 0) return {red, green, blue};
    return phase == 1 ? Channels{green, blue, red} : Channels{blue, red, green};
  }
  __device__ __forceinline__ const T& of(int j) const { return j % 3 == 0 ? red : j % 3 == 1 ? green : blue; }
  __device__ __forceinline__ T& of(int j) { return j % 3 == 0 ? red : j % 3 == 1 ? green : blue; }
  template <class Other>
  __device__ __forceinline__ void add(const Channels<Other>& other) {
    red += other.red, green += other.green, blue += other.blue;
  }
  __device__ __forceinline__ Channels over_warp() const { return {warp_sum(red), warp_sum(green), warp_sum(blue)}; }
};

/// Exact sums of `n` bytes of each channel and of their squares, as what makes a target of a byte: the mean, and
/// 1 / (deviation + 1e-6).
template <class T>
__device__ __forceinline__ void measure_bytes(const Channels<T>& sums, const Channels<T>& squares, uint64_t n,
                                              Channels<float>& mean, Channels<float>& scale) {
  const float count = static_cast<float>(n);
#pragma unroll
  for (int channel = 0; channel < 3; ++channel) {
    const uint64_t s = sums.of(channel), q = squares.of(channel);
    mean.of(channel) = static_cast<float>(s) / count;
    const float variance = static_cast<float>(n * q - s * s) / (count * (count - 1));
    scale.of(channel) = 1 / (sqrtf(variance) + 255e-6f);  // 255 deviations of pixels in [0, 1] are one of bytes
  }
}

/// The tokens of a video: u8 (B, T, H, W, 3) or f32 (B, 3, T, H, W).
template <class Video>
struct TokenPixels {
  const Video* video;
  int64_t frames, height, width;  // of the video
  int64_t tubelet, patch, tokens, columns;
  Divisor by_time, by_row;    // of a token's number: tokens of a time, of a row
  Divisor by_run, by_height;  // of a column: columns of a row of pixels, rows of pixels of a frame
  ClipWindows windows;
  bool normalize;

  static TokenPixels of(const TokenGrid& g, const In& video, bool normalize) {
    return {video.data<Video>(),
            g.frames,
            g.video_height,
            g.video_width,
            g.tubelet,
            g.patch,
            g.tokens(),
            3 * g.pixels(),
            Divisor(g.rows() * g.columns()),
            Divisor(g.columns()),
            Divisor(3 * g.patch),
            Divisor(g.patch),
            ClipWindows::of(g),
            normalize};
  }

  /// The first pixel of a token as its clip goes, in channel 0.
  __device__ __forceinline__ const Video* first_pixel(int64_t clip, const ClipPlace& place, int64_t token) const {
    constexpr bool bytes = sizeof(Video) == 1;
    int64_t column = token;
    const int64_t frame = (bytes ? clip : 3 * clip) * frames + by_time.split(column) * tubelet;
    const int64_t row = place.top + by_row.split(column) * patch;
    column = place.left + place.step * column * patch;
    return video + (bytes ? 3 : 1) * ((frame * height + row) * width + column);
  }
};

/// One token of one clip, as a warp sees it: lane i takes the columns of every 32nd run of `length`.
template <int length, class Video>
class TokenTarget {
 public:
  /// All lanes call.
  __device__ __forceinline__ TokenTarget(const TokenPixels<Video>& pixels, int64_t clip, const ClipPlace& place,
                                         int64_t token)
      : pixels_(pixels), first_pixel_(pixels.first_pixel(clip, place, token)), step_(place.step) {
    measure();
  }

  /// Calls body(column, targets of the `length` columns from there on) for the lane's share of the columns.
  template <class F>
  __device__ __forceinline__ void for_columns(F&& body) const {
    for (int c = first(); c < pixels_.columns; c += 32 * length) {
      Floats<length> values = load(c);
      const Channels<float> mean = mean_.rotated(c % 3), scale = scale_.rotated(c % 3);
#pragma unroll
      for (int j = 0; j < length; ++j) values.at[j] = (values.at[j] - mean.of(j)) * scale.of(j);
      body(c, values);
    }
  }

 private:
  static constexpr bool bytes = sizeof(Video) == 1;
  static constexpr int elements_of_pixel = bytes ? 3 : 1;

  __device__ __forceinline__ int first() const { return static_cast<int>(threadIdx.x % 32) * length; }

  /// The token's first pixel in the row of pixels that a column is of, in the column's channel where channels lie
  /// apart. Leaves in `column` the place in that row.
  __device__ __forceinline__ const Video* line_of(int& column) const {
    const int64_t channel = bytes ? 0 : column % 3 * pixels_.frames;
    int64_t inside = column, y = pixels_.by_run.split(inside);
    const int64_t frame = channel + pixels_.by_height.split(y);
    column = static_cast<int>(inside);
    return first_pixel_ + elements_of_pixel * ((frame * pixels_.height + y) * pixels_.width);
  }

  /// A run of columns, which are of one row of pixels. Through a window none is aligned, and some run backwards.
  __device__ __forceinline__ Run<Video, length> load_stored(int column) const {
    const Video* const line = line_of(column);
    if (length > 1 && !pixels_.windows.given()) return *reinterpret_cast<const Run<Video, length>*>(line + column);
    Run<Video, length> run;
#pragma unroll
    for (int j = 0; j < length; ++j) {
      const int inside = column + j, pixel = step_ * (inside / 3);
      run.at[j] = line[bytes ? 3 * pixel + inside % 3 : pixel];
    }
    return run;
  }

  /// Pixels in the unit of their statistics: bytes from 0 to 255, or floating ones brought back to [0, 1].
  __device__ __forceinline__ Floats<length> load(int column) const {
    static_assert(bytes || length == 1, "channels of floating video lie apart");
    const Run<Video, length> run = load_stored(column);
    Floats<length> values;
#pragma unroll
    for (int j = 0; j < length; ++j) values.at[j] = run.at[j];
    if constexpr (!bytes) {
      const Channels<float> deviation{0.229f, 0.224f, 0.225f}, mean{0.485f, 0.456f, 0.406f};
      const int channel = column % 3;
      values.at[0] = values.at[0] * deviation.rotated(channel).red + mean.rotated(channel).red;
    }
    return values;
  }

  __device__ __forceinline__ void measure() {
    if (!pixels_.normalize) {
      const float unit = bytes ? 1.0f / 255 : 1.0f;
      scale_ = {unit, unit, unit};
    } else {
      measure_channels(std::integral_constant<bool, bytes>{});
    }
  }

  /// Bytes: exact sums of values and of squares in one pass.
  __device__ __forceinline__ void measure_channels(std::true_type) {
    Channels<uint64_t> sum{}, squares{};
    for (int c = first(); c < pixels_.columns; c += 32 * length) {
      const Run<Video, length> run = load_stored(c);
      Channels<uint32_t> s{}, q{};
#pragma unroll
      for (int j = 0; j < length; ++j) {
        const uint32_t value = run.at[j];
        s.of(j) += value, q.of(j) += value * value;
      }
      const int back = (3 - c % 3) % 3;
      sum.add(s.rotated(back)), squares.add(q.rotated(back));
    }
    measure_bytes(sum.over_warp(), squares.over_warp(), static_cast<uint64_t>(pixels_.columns / 3), mean_, scale_);
  }

  /// Floating video: means, then deviations from them.
  __device__ __forceinline__ void measure_channels(std::false_type) {
    const float count = static_cast<float>(pixels_.columns / 3);
    Channels<float> sum{}, squares{};
    for (int c = first(); c < pixels_.columns; c += 32)
      sum.add(Channels<float>{load(c).at[0], 0, 0}.rotated((3 - c % 3) % 3));
    sum = sum.over_warp();
    mean_ = {sum.red / count, sum.green / count, sum.blue / count};
    for (int c = first(); c < pixels_.columns; c += 32) {
      const float d = load(c).at[0] - mean_.rotated(c % 3).red;
      squares.add(Channels<float>{d * d, 0, 0}.rotated((3 - c % 3) % 3));
    }
    squares = squares.over_warp();
#pragma unroll
    for (int channel = 0; channel < 3; ++channel)
      scale_.of(channel) = 1 / (sqrtf(squares.of(channel) / (count - 1)) + 1e-6f);
  }

  const TokenPixels<Video>& pixels_;
  const Video* first_pixel_;  // of the token, in channel 0
  int step_;                  // from a pixel to the next
  Channels<float> mean_{}, scale_{};
};

/// Calls body(TokenPixels, length) with the longest runs of columns that rows of T, which begin at `rows`, and pixels
/// of the video all allow.
template <class T, class F>
void with_token_pixels(const TokenGrid& g, const In& video, bool normalize, std::initializer_list<const void*> rows,
                       F&& body) {
  if (!g.bytes) {
    if (video.dtype() != DType::f32) throw Error("video", "u8 or f32 on a GPU", video.tensor.text());
    return body(TokenPixels<float>::of(g, video, normalize), std::integral_constant<int, 1>{});
  }
  const auto pixels = TokenPixels<uint8_t>::of(g, video, normalize);
  const auto fits = [&](int64_t length) {
    return 3 * g.patch % length == 0 && aligned(static_cast<size_t>(length) * sizeof(T), rows) &&
           (g.window != nullptr || (3 * g.width % length == 0 && aligned(static_cast<size_t>(length), {pixels.video})));
  };
  if (fits(vector_width<T>))
    body(pixels, std::integral_constant<int, vector_width<T>>{});
  else if (fits(2))
    body(pixels, std::integral_constant<int, 2>{});
  else
    body(pixels, std::integral_constant<int, 1>{});
}

}  // namespace videomae::cuda
