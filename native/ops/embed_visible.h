// Embeds only the visible tokens of a clip: normalises (u8 input), gathers each visible cube into a row, multiplies by
// the patch-embedding weight, adds bias and the row of the positional table. Tokens that are masked are never read.
// A cube's columns are (channel, dt, dy, dx), channel slowest: the order of the 3-D convolution's weight (spec 1.3).
#pragma once

#include "ops/token_grid.h"

namespace videomae {

struct EmbedVisible {
  static constexpr const char* name = "embedVisible";
  static constexpr int naive_intermediates = 1;  // the patches
  In video;                                      // u8 (B, T, H, W, 3) or wide (B, 3, T, H, W)
  In visible;                                    // i32 (B, V)
  In weight;                                     // (D, 3, tubelet, patch, patch)
  In bias;                                       // (D), wide
  In position;                                   // (N, D), wide
  ClipWindow window;
  Out y;        // (B, V, D)
  Out patches;  // (B * V, 3 * tubelet * patch * patch): the GEMM's operand, kept for the weight's gradient

  template <class V>
  void visit(V& v) {
    v("video", video), v("visible", visible), v("weight", weight), v("bias", bias), v("position", position);
    window.visit(v);
    v("y", y), v("patches", patches);
  }

  TokenGrid grid() const { return TokenGrid::of(name, video, weight.shape()[2], weight.shape()[3], window); }
  int64_t width() const { return weight.shape()[0]; }
  int64_t rows() const { return visible.elements(); }

  void infer() {
    check_real(name, "weight", weight);
    check(weight.shape().rank() == 5 && weight.shape()[1] == 3 && weight.shape()[3] == weight.shape()[4], name,
          "weight of shape [D, 3, tubelet, patch, patch]", weight.tensor.text());
    const TokenGrid g = grid();
    if (!g.bytes) check_wide_of(name, "video", video, weight);
    check_window(name, g, window), check_token_index(name, "visible", visible, g.batch, g.tokens());
    check_wide_of(name, "bias", bias, weight), check_shape(name, "bias", bias, {width()});
    check_wide_of(name, "position", position, weight);
    check_shape(name, "position", position, {g.tokens(), width()}, "the table must be made for this clip's token grid");
    y.set({g.batch, visible.shape()[1], width()}, weight.dtype());
    patches.set({rows(), 3 * g.pixels()}, weight.dtype());
  }

  size_t workspace(DeviceKind) const;

  static std::vector<EmbedVisible> cases(Draw& draw) {
    std::vector<EmbedVisible> list;
    for (bool bytes : {false, true})
      for (auto [size, patch, frames] : {std::array<int64_t, 3>{8, 4, 4}, {28, 14, 2}, {32, 16, 4}}) {
        const int64_t n = frames / 2 * (size / patch) * (size / patch), d = 24;
        list.push_back({bytes ? draw.bytes({2, frames, size, size, 3}) : draw.wide({2, 3, frames, size, size}),
                        draw.ascending(2, 2, n), draw.real({d, 3, 2, patch, patch}), draw.wide({d}),
                        draw.wide({n, d})});
      }
    for (bool bytes : {false, true})
      for (auto [side, patch] : {std::array<int64_t, 2>{28, 14}, {32, 16}}) {
        const int64_t n = side / patch * side / patch, height = side + 3, width = side + 6, d = 24;
        list.push_back({bytes ? draw.bytes({2, 2, height, width, 3}) : draw.wide({2, 3, 2, height, width}),
                        draw.ascending(2, 2, n), draw.real({d, 3, 2, patch, patch}), draw.wide({d}), draw.wide({n, d}),
                        draw_windows(height, width, side)});
      }
    return list;
  }
};

/// Gradient with respect to a floating clip: patches' gradients scattered back to where they were gathered.
struct EmbedVisibleVideoGrad {
  static constexpr const char* name = "embedVisibleVideoGrad";
  In grad_patches;  // (B * V, 3 * tubelet * patch * patch)
  In visible;       // i32 (B, V)
  In video;         // wide (B, 3, T, H, W): for its shape only
  int64_t tubelet = 2, patch = 16;
  ClipWindow window;
  Out grad_video;  // (B, 3, T, H, W)

  template <class V>
  void visit(V& v) {
    v("gradPatches", grad_patches), v("visible", visible), v("video", video), v("tubelet", tubelet), v("patch", patch);
    window.visit(v);
    v("gradVideo", grad_video);
  }

  TokenGrid grid() const { return TokenGrid::of(name, video, tubelet, patch, window); }

  void infer() {
    check_wide(name, "video", video);
    const TokenGrid g = grid();
    check_window(name, g, window), check_token_index(name, "visible", visible, g.batch, g.tokens());
    check_real(name, "gradPatches", grad_patches), check_wide_of(name, "video", video, grad_patches);
    check_shape(name, "gradPatches", grad_patches, {visible.elements(), 3 * g.pixels()});
    grad_video.like(video);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<EmbedVisibleVideoGrad> cases(Draw& draw) {
    return {{draw.real({4, 3 * 2 * 16}), draw.ascending(2, 2, 8), draw.wide({2, 3, 4, 8, 8}), 2, 4},
            {draw.real({4, 3 * 2 * 36}), draw.ascending(2, 2, 8), draw.wide({2, 3, 4, 13, 17}), 2, 6,
             draw_windows(13, 17, 12)}};
  }
};

}  // namespace videomae
