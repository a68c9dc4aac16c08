// How a clip is cut into tokens: cubes of `tubelet` frames and patch x patch pixels, numbered time-major, then row,
// then column. A clip is a whole video, or a square window of one, mirrored or not: so clips are cropped and flipped
// where their pixels are read. Shared by the ops that read pixels.
#pragma once

#include "ops/op.h"

namespace videomae {

/// Which part of each video of a batch is the clip: nothing given, all of it.
struct ClipWindow {
  OptionalIn places;  // i32 (B, 3): the window's first row and column in the video, and 1 where it is mirrored
  int64_t side = 0;   // rows and columns of the window

  template <class V>
  void visit(V& v) {
    v("window", places), v("side", side);
  }
};

/// Windows to test with, of two clips: one in the middle, and one at the far corner, mirrored.
inline ClipWindow draw_windows(int64_t height, int64_t width, int64_t side) {
  ClipWindow window{{{Tensor::empty({2, 3}, DType::i32)}}, side};
  const int64_t places[] = {(height - side) / 2, (width - side) / 2, 0, height - side, width - side, 1};
  for (int i = 0; i < 6; ++i) window.places.tensor.data<int32_t>()[i] = static_cast<int32_t>(places[i]);
  return window;
}

/// A clip as the ops take it: u8 (B, T, H, W, 3) as decoded, or wide (B, 3, T, H, W) already normalised.
struct TokenGrid {
  int64_t batch, frames, video_height, video_width;
  int64_t tubelet, patch;
  bool bytes;                       // u8, channels last
  int64_t height, width;            // of the clip: of the video, or of the window
  const int32_t* window = nullptr;  // (B, 3), where there are windows; on the video's device

  static TokenGrid of(const char* op, const In& video, int64_t tubelet, int64_t patch, const ClipWindow& window = {}) {
    check_dtype(op, "video", video, {DType::u8, DType::f32, DType::f64});
    check(window.places.given() || window.side == 0, op, "a window, since there is a side", "none");
    const bool bytes = video.dtype() == DType::u8;
    const Shape& s = video.shape();
    check(s.rank() == 5 && s[bytes ? 4 : 1] == 3, op,
          bytes ? "u8 video of shape [B, T, H, W, 3]" : "floating video of shape [B, 3, T, H, W]", video.tensor.text());
    check(tubelet >= 1 && patch >= 1, op, "tubelet and patch of 1 or more",
          std::to_string(tubelet) + " and " + std::to_string(patch));
    TokenGrid g = bytes ? TokenGrid{s[0], s[1], s[2], s[3], tubelet, patch, true, s[2], s[3]}
                        : TokenGrid{s[0], s[2], s[3], s[4], tubelet, patch, false, s[3], s[4]};
    if (window.places.given()) {
      check_dtype(op, "window", window.places, {DType::i32}), check_shape(op, "window", window.places, {g.batch, 3});
      check(window.side >= 1 && window.side <= g.height && window.side <= g.width, op,
            "a window whose side is 1 or more and fits the video",
            "side " + std::to_string(window.side) + ", " + video.tensor.text());
      g.height = g.width = window.side, g.window = window.places.data<int32_t>();
    }
    check(g.frames % tubelet == 0 && g.height % patch == 0 && g.width % patch == 0 && g.tokens() > 0, op,
          "frames divisible by the tubelet of " + std::to_string(tubelet) + " and sides by the patch of " +
              std::to_string(patch),
          window.places.given() ? video.tensor.text() + " and a window of side " + std::to_string(window.side)
                                : video.tensor.text());
    return g;
  }

  int64_t rows() const { return height / patch; }
  int64_t columns() const { return width / patch; }
  int64_t tokens() const { return frames / tubelet * rows() * columns(); }
  int64_t pixels() const { return tubelet * patch * patch; }  // of a token, per channel

  /// Offset in the video of pixel (dt, dy, dx) of channel c in token n of clip b.
  int64_t offset(int64_t b, int64_t n, int64_t c, int64_t dt, int64_t dy, int64_t dx) const {
    const int64_t t = n / (rows() * columns()) * tubelet + dt;
    int64_t y = n / columns() % rows() * patch + dy, x = n % columns() * patch + dx;
    if (window != nullptr) y += window[3 * b], x = window[3 * b + 1] + (mirrored(b) ? width - 1 - x : x);
    return bytes ? (((b * frames + t) * video_height + y) * video_width + x) * 3 + c
                 : (((b * 3 + c) * frames + t) * video_height + y) * video_width + x;
  }

  /// Elements of the video from a pixel of clip b to the next in its row.
  int64_t pixel_stride(int64_t b) const { return (bytes ? 3 : 1) * (mirrored(b) ? -1 : 1); }

 private:
  bool mirrored(int64_t b) const { return window != nullptr && window[3 * b + 2] != 0; }
};

/// That windows lie in their videos, where their places are to be seen: on the CPU. Kernels of a device look
/// themselves, and report it (Context::fault).
inline void check_window(const char* op, const TokenGrid& g, const ClipWindow& window) {
  if (!window.places.given() || rehearsing() || !window.places.tensor.device().is_cpu()) return;
  const char* const names[] = {"top", "left", "flip"};
  const int64_t last[] = {g.video_height - g.height, g.video_width - g.width, 1};
  for (int64_t i = 0; i < 3 * g.batch; ++i)
    check(g.window[i] >= 0 && g.window[i] <= last[i % 3], op,
          std::string("a window with ") + names[i % 3] + " from 0 to " + std::to_string(last[i % 3]),
          std::to_string(g.window[i]) + " for clip " + std::to_string(i / 3));
}

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
