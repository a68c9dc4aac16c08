// Crop and resize of RGB frames exactly as Pillow's 8-bit BILINEAR (spec 15.1): a triangle filter as wide as the scale
// (antialiased), weights in 22-bit fixed point, rows first, rounded to 8 bit, then columns. Cost: about
// 3 * outWidth * (box height * taps_x + outHeight * taps_y) multiply-adds a frame, taps = 2 * max(1, side / out side).
#pragma once

#include "ops/op.h"

namespace videomae {

struct CropResize {
  static constexpr const char* name = "cropResize";
  In x;                                              // u8 (T, H, W, 3)
  int64_t left = 0, top = 0, width = 0, height = 0;  // the box, inside the frame
  int64_t out_width = 0, out_height = 0;
  Out y;  // u8 (T, outHeight, outWidth, 3)

  template <class V>
  void visit(V& v) {
    v("x", x), v("left", left), v("top", top), v("width", width), v("height", height), v("outWidth", out_width);
    v("outHeight", out_height), v("y", y);
  }

  void infer() {
    check_dtype(name, "x", x, {DType::u8});
    const Shape& s = x.shape();
    check(s.rank() == 4 && s[3] == 3, name, "x of shape [T, H, W, 3]", x.tensor.text());
    check(left >= 0 && top >= 0 && width >= 1 && height >= 1 && left <= s[2] - width && top <= s[1] - height, name,
          "a box inside frames of " + std::to_string(s[2]) + " x " + std::to_string(s[1]),
          std::to_string(width) + " x " + std::to_string(height) + " at (" + std::to_string(left) + ", " +
              std::to_string(top) + ")");
    check(out_width >= 1 && out_width <= 65536 && out_height >= 1 && out_height <= 65536, name,
          "output sides from 1 to 65536", std::to_string(out_width) + " x " + std::to_string(out_height));
    y.set({s[0], out_height, out_width, 3}, DType::u8);
  }

  /// The frames after the first pass, (T, height, outWidth, 3).
  size_t workspace(DeviceKind) const { return static_cast<size_t>(x.shape()[0] * height * out_width * 3); }

  static std::vector<CropResize> cases(Draw& draw) {
    return {{draw.bytes({2, 9, 12, 3}), 1, 2, 7, 5, 4, 4},
            {draw.bytes({1, 40, 50, 3}), 0, 0, 50, 40, 24, 24},
            {draw.bytes({3, 24, 24, 3}), 0, 0, 24, 24, 24, 24},
            {draw.bytes({1, 10, 10, 3}), 3, 3, 4, 6, 33, 7}};
  }
};

}  // namespace videomae
