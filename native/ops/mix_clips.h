// Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) of a batch with itself in reverse order (spec 4.9): the
// partner of clip b is clip B - 1 - b, and clip b becomes
//   the partner                                 inside its box, in every frame
//   lambda clip + (1 - lambda) partner          elsewhere, each product and the sum rounded; the clip itself if lambda
//   is 1
// so CutMix has a lambda of 1 and mixup an empty box. Bytes are normalised first. Reads two clips for each that it
// writes.
#pragma once

#include "ops/token_grid.h"

namespace videomae {

struct MixClips {
  static constexpr const char* name = "mixClips";
  In video;   // u8 (B, T, H, W, 3), or of lambda's dtype (B, 3, T, H, W), normalised
  In lambda;  // (B), wide
  In box;     // i32 (B, 4): top, bottom, left, right in pixels, the second and the last beyond it; clipped to the frame
  Out y;      // (B, 3, T, H, W), of lambda's dtype, normalised

  template <class V>
  void visit(V& v) {
    v("video", video), v("lambda", lambda), v("box", box), v("y", y);
  }

  /// Tokens of one pixel of one frame.
  TokenGrid pixels() const { return TokenGrid::of(name, video, 1, 1); }

  void infer() {
    check_wide(name, "lambda", lambda);
    const TokenGrid g = pixels();
    if (!g.bytes) check_same_dtype(name, "video", video, lambda);
    check_shape(name, "lambda", lambda, {g.batch});
    check_dtype(name, "box", box, {DType::i32});
    check_shape(name, "box", box, {g.batch, 4});
    y.set({g.batch, 3, g.frames, g.height, g.width}, lambda.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<MixClips> cases(Draw& draw) {
    std::vector<MixClips> list;
    for (const auto [b, t, h, w] : {std::array<int64_t, 4>{0, 1, 2, 2}, {1, 1, 1, 1}, {3, 2, 5, 7}, {4, 2, 12, 16}})
      for (const bool bytes : {false, true})
        for (const bool cut : {false, true})
          list.push_back({bytes ? draw.bytes({b, t, h, w, 3}) : draw.wide({b, 3, t, h, w}),
                          cut ? draw.wide({b}, 1, 1) : draw.wide({b}, 0, 1), draw.integers({b, 4}, h + 3)});
    return list;
  }
};

}  // namespace videomae
