// The bytes of a token of a u8 video in shared memory. A warp asks for them all at once, in chunks of 16 bytes however
// rows of pixels begin: in pictures cut in patches of 14 they begin at any even byte, and without this would be read
// two bytes at a time.
#pragma once

#include "cuda/device/cp_async.cuh"
#include "cuda/pixel_targets.cuh"

namespace videomae::cuda {

/// Each row of pixels lies in the aligned chunks that hold it, one row every 64 bytes.
class TokenBytes {
 public:
  static constexpr int pitch = 64, largest_patch = 16;  // 15 + 3 * 16 bytes at most

  /// Whether chunks lie in the video, and three sums of squares in 32 bits.
  static bool can_hold(const TokenGrid& g, const In& video) {
    return g.bytes && g.patch <= largest_patch && g.pixels() <= 65536 && aligned(16, {video.tensor.data()}) &&
           video.tensor.bytes() % 16 == 0;
  }
  static int64_t shared_bytes(const TokenGrid& g) { return g.tubelet * g.patch * pitch; }

  /// All lanes call. Starts copies to `shared`, which begins at a multiple of 16, and commits none.
  __device__ __forceinline__ TokenBytes(unsigned char* shared, const TokenPixels<uint8_t>& pixels, int64_t clip,
                                        const ClipPlace& place, int64_t token)
      : rows_(shared),
        height_(static_cast<int>(pixels.height)),
        line_(static_cast<int>(3 * pixels.width)),
        tubelet_(static_cast<int>(pixels.tubelet)),
        patch_(static_cast<int>(pixels.patch)),
        mirrored_(place.step < 0) {
    const uint8_t* const first = pixels.first_pixel(clip, place, token);
    const uint8_t* const lowest = mirrored_ ? first - 3 * (patch_ - 1) : first;
    begin_ = static_cast<int>(reinterpret_cast<uintptr_t>(lowest) % 16);
    const int lane = static_cast<int>(threadIdx.x) % 32, chunk = lane % 4 * 16;
    for (int dt = 0; dt < tubelet_; ++dt)
      for (int dy = lane / 4; dy < patch_; dy += 8) {
        const int begin = begin_of(dt, dy);
        const uint8_t* const from = lowest + static_cast<int64_t>(dt * height_ + dy) * line_ - begin;
        if (chunk < begin + 3 * patch_) cp_async<16>(rows_ + (dt * patch_ + dy) * pitch + chunk, from + chunk);
      }
  }

  /// The channels of a pixel, once the copies have come and all lanes have met.
  __device__ __forceinline__ Channels<uint32_t> pixel(int dt, int dy, int dx) const {
    const int column = mirrored_ ? patch_ - 1 - dx : dx;
    const unsigned char* const at = rows_ + (dt * patch_ + dy) * pitch + begin_of(dt, dy) + 3 * column;
    return {at[0], at[1], at[2]};
  }

  /// Calls body(number of the pixel in the token, its channels) for every 32nd pixel of a frame, from the lane's own.
  template <class F>
  __device__ __forceinline__ void for_pixels(F&& body) const {
    const int lane = static_cast<int>(threadIdx.x) % 32, of_frame = patch_ * patch_;
    const int down = 32 / patch_, across = 32 % patch_, first_row = lane / patch_, first_column = lane % patch_;
    for (int dt = 0; dt < tubelet_; ++dt) {
      int dy = first_row, dx = first_column;
      for (int i = lane; i < of_frame; i += 32) {
        body(dt * of_frame + i, pixel(dt, dy, dx));
        dy += down, dx += across;
        if (dx >= patch_) dx -= patch_, ++dy;
      }
    }
  }

 private:
  /// Where in its first chunk a row begins.
  __device__ __forceinline__ int begin_of(int dt, int dy) const { return (begin_ + (dt * height_ + dy) * line_) & 15; }

  unsigned char* rows_;
  int height_, line_;  // of the video: rows of a frame, bytes of a row
  int tubelet_, patch_, begin_;
  bool mirrored_;
};

}  // namespace videomae::cuda
