// How the pre-training loss sees a token: its target beside its row of the prediction, in two forms.
#pragma once

#include "cuda/token_bytes.cuh"

namespace videomae::cuda {

/// Both are read as they are needed, a run of `length` columns a lane at a time.
template <int length, class Video, class T>
class TokenInMemory {
 public:
  using Pixels = TokenPixels<Video>;
  static constexpr int resident = 3;  // blocks of a multiprocessor: with more, registers would not last
  static int64_t shared_bytes(const TokenGrid&) { return 0; }

  /// @param prediction  the token's row
  __device__ __forceinline__ TokenInMemory(unsigned char*, const Pixels& pixels, int64_t clip, const ClipPlace& place,
                                           int64_t token, const T* prediction)
      : pixels_(pixels), clip_(clip), place_(place), token_(token), prediction_(prediction) {}

  /// The mean of the squared errors, on all lanes.
  __device__ __forceinline__ float loss() const {
    float sum = 0;
    for_columns([&](int64_t, const Floats<length>& predicted, const Floats<length>& target) {
#pragma unroll
      for (int j = 0; j < length; ++j) {
        const float d = predicted.at[j] - target.at[j];
        sum += d * d;
      }
    });
    return warp_sum(sum) / static_cast<float>(pixels_.columns);
  }

  /// Writes factor * (prediction - target).
  __device__ __forceinline__ void write_gradient(float factor, T* gradient) const {
    for_columns([&](int64_t column, const Floats<length>& predicted, const Floats<length>& target) {
      Floats<length> result;
#pragma unroll
      for (int j = 0; j < length; ++j) result.at[j] = factor * (predicted.at[j] - target.at[j]);
      store_floats<length>(gradient + column, result);
    });
  }

  /// Ends what the constructor began, where no more is asked.
  __device__ __forceinline__ void drop() const {}

  static __device__ __forceinline__ void write_zeros(T* gradient, int64_t columns) {
    for (int64_t c = threadIdx.x % 32 * length; c < columns; c += 32 * length)
      store_floats<length>(gradient + c, Floats<length>{});
  }

 private:
  template <class F>
  __device__ __forceinline__ void for_columns(F&& body) const {
    const TokenTarget<length, Video> target(pixels_, clip_, place_, token_);
    target.for_columns([&](int64_t column, const Floats<length>& values) {
      body(column, load_floats<length>(prediction_ + column), values);
    });
  }

  const Pixels& pixels_;
  int64_t clip_;
  const ClipPlace& place_;
  int64_t token_;
  const T* prediction_;
};

/// Both are asked for at once and come through shared memory, in chunks of 16 bytes. A lane takes whole pixels.
template <class T>
class TokenInShared {
 public:
  using Pixels = TokenPixels<uint8_t>;
  static constexpr int resident = 4;

  static bool can_hold(const TokenGrid& g, const In& video, std::initializer_list<const void*> rows) {
    return TokenBytes::can_hold(g, video) && aligned(16, rows) && 3 * g.pixels() % chunk == 0;
  }
  /// Of a warp.
  static int64_t shared_bytes(const TokenGrid& g) {
    return TokenBytes::shared_bytes(g) + 3 * g.pixels() * static_cast<int64_t>(sizeof(T));
  }

  __device__ __forceinline__ TokenInShared(unsigned char* shared, const Pixels& pixels, int64_t clip,
                                           const ClipPlace& place, int64_t token, const T* prediction)
      : bytes_(shared, pixels, clip, place, token),
        row_(reinterpret_cast<T*>(shared + pixels.tubelet * pixels.patch * TokenBytes::pitch)),
        columns_(static_cast<int>(pixels.columns)),
        normalize_(pixels.normalize) {
    for (int c = first(); c < columns_; c += 32 * chunk) cp_async<16>(row_ + c, prediction + c);
    cp_async_commit();
  }

  __device__ __forceinline__ float loss() {
    float sum = 0;
    for_pixels([&](T*, const Channels<float>& error) {
      sum += error.red * error.red;
      sum += error.green * error.green;
      sum += error.blue * error.blue;
    });
    return warp_sum(sum) / static_cast<float>(columns_);
  }

  /// Puts the gradient over the prediction, from where it is written in chunks.
  __device__ __forceinline__ void write_gradient(float factor, T* gradient) {
    for_pixels([&](T* at, const Channels<float>& error) {
      at[0] = from_float<T>(factor * error.red);
      at[1] = from_float<T>(factor * error.green);
      at[2] = from_float<T>(factor * error.blue);
    });
    warp_sync();
    for (int c = first(); c < columns_; c += 32 * chunk)
      *reinterpret_cast<uint4*>(gradient + c) = *reinterpret_cast<const uint4*>(row_ + c);
  }

  __device__ __forceinline__ void drop() const { cp_async_wait<0>(); }

  static __device__ __forceinline__ void write_zeros(T* gradient, int64_t columns) {
    for (int64_t c = first(); c < columns; c += 32 * chunk) *reinterpret_cast<uint4*>(gradient + c) = uint4{};
  }

 private:
  static constexpr int chunk = vector_width<T>;

  static __device__ __forceinline__ int first() { return static_cast<int>(threadIdx.x % 32) * chunk; }

  /// Calls body(the pixel's place in the row, prediction - target).
  template <class F>
  __device__ __forceinline__ void for_pixels(F&& body) {
    cp_async_wait<0>();
    warp_sync();
    Channels<float> mean{}, scale{1.0f / 255, 1.0f / 255, 1.0f / 255};
    if (normalize_) {
      Channels<uint32_t> sum{}, squares{};
      bytes_.for_pixels([&](int, const Channels<uint32_t>& v) {
        sum.add(v);
        squares.add(Channels<uint32_t>{v.red * v.red, v.green * v.green, v.blue * v.blue});
      });
      measure_bytes(sum.over_warp(), squares.over_warp(), static_cast<uint32_t>(columns_ / 3), mean, scale);
    }
    bytes_.for_pixels([&](int pixel, const Channels<uint32_t>& v) {
      T* const at = row_ + 3 * pixel;
      body(at, Channels<float>{cuda::to_float(at[0]) - (static_cast<float>(v.red) - mean.red) * scale.red,
                               cuda::to_float(at[1]) - (static_cast<float>(v.green) - mean.green) * scale.green,
                               cuda::to_float(at[2]) - (static_cast<float>(v.blue) - mean.blue) * scale.blue});
    });
  }

  TokenBytes bytes_;
  T* row_;  // of the prediction
  int columns_;
  bool normalize_;
};

}  // namespace videomae::cuda
