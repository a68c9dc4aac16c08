// How a clip is cut into tokens: cubes of `tubelet` frames and patch x patch pixels, numbered time-major, then row,
// then column. Shared by the ops that read pixels.
#pragma once

#include "ops/op.h"

namespace videomae {

/// A clip as the ops take it: u8 (B, T, S, S', 3) as decoded, or wide (B, 3, T, S, S') already normalised.
struct TokenGrid {
  int64_t batch, frames, height, width;  // of the clip
  int64_t tubelet, patch;
  bool bytes;  // u8, channels last

  static TokenGrid of(const char* op, const In& video, int64_t tubelet, int64_t patch) {
    check_dtype(op, "video", video, {DType::u8, DType::f32, DType::f64});
    const bool bytes = video.dtype() == DType::u8;
    const Shape& s = video.shape();
    check(s.rank() == 5 && s[bytes ? 4 : 1] == 3, op,
          bytes ? "u8 video of shape [B, T, H, W, 3]" : "floating video of shape [B, 3, T, H, W]", video.tensor.text());
    check(tubelet >= 1 && patch >= 1, op, "tubelet and patch of 1 or more",
          std::to_string(tubelet) + " and " + std::to_string(patch));
    const TokenGrid g = bytes ? TokenGrid{s[0], s[1], s[2], s[3], tubelet, patch, true}
                              : TokenGrid{s[0], s[2], s[3], s[4], tubelet, patch, false};
    check(g.frames % tubelet == 0 && g.height % patch == 0 && g.width % patch == 0 && g.tokens() > 0, op,
          "frames divisible by the tubelet of " + std::to_string(tubelet) + " and sides by the patch of " +
              std::to_string(patch),
          video.tensor.text());
    return g;
  }

  int64_t rows() const { return height / patch; }
  int64_t columns() const { return width / patch; }
  int64_t tokens() const { return frames / tubelet * rows() * columns(); }
  int64_t pixels() const { return tubelet * patch * patch; }  // of a token, per channel

  /// Offset of pixel (dt, dy, dx) of channel c in token n of clip b.
  int64_t offset(int64_t b, int64_t n, int64_t c, int64_t dt, int64_t dy, int64_t dx) const {
    const int64_t t = n / (rows() * columns()) * tubelet + dt;
    const int64_t y = n / columns() % rows() * patch + dy, x = n % columns() * patch + dx;
    return bytes ? (((b * frames + t) * height + y) * width + x) * 3 + c
                 : (((b * 3 + c) * frames + t) * height + y) * width + x;
  }

  /// Elements between neighbouring pixels of a row.
  int64_t pixel_stride() const { return bytes ? 3 : 1; }
};

/// The ImageNet statistics by which clips are normalised (spec 3.1), red, green, blue.
constexpr double channel_mean[3] = {0.485, 0.456, 0.406};
constexpr double channel_std[3] = {0.229, 0.224, 0.225};

/// That `index` is i32 (B, count) with values below the number of tokens.
inline void check_token_index(const char* op, const char* operand, const In& index, int64_t batch, int64_t tokens) {
  check_dtype(op, operand, index, {DType::i32});
  check(index.shape().rank() == 2 && index.shape()[0] == batch, op,
        std::string(operand) + " of shape [" + std::to_string(batch) + ", count]", index.tensor.text());
  check_indices(op, operand, index, tokens);
}

}  // namespace videomae
