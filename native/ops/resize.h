// Resizing without antialiasing, for evaluation and fine-tuning (spec 15.2, 15.5). Two kinds, as published models were
// trained and tested with both:
//   ResizeLinear  u8 to u8 exactly as OpenCV's linear resize: 11-bit weights, integer sums; of the resized picture only
//                 the crop is computed
//   Interpolate   u8 to f32 as bilinear interpolation with half-pixel centres, pixels divided by 255, and normalised
//   and
//                 flipped where that is asked for
// Both read four pixels for each result, so the cost does not depend on the size of the frame.
#pragma once

#include "ops/token_grid.h"

namespace videomae {

/// Throws Error unless x is frames and the box lies inside `width` x `height`.
inline void check_frame_box(const char* op, const In& x, int64_t width, int64_t height, int64_t left, int64_t top,
                            int64_t box_width, int64_t box_height) {
  check_dtype(op, "x", x, {DType::u8});
  check(x.shape().rank() == 4 && x.shape()[3] == 3 && x.elements() > 0, op, "x of shape [T, H, W, 3]", x.tensor.text());
  check(box_width >= 1 && box_height >= 1 && left >= 0 && top >= 0 && left <= width - box_width &&
            top <= height - box_height,
        op, "a box inside pictures of " + std::to_string(width) + " x " + std::to_string(height),
        std::to_string(box_width) + " x " + std::to_string(box_height) + " at (" + std::to_string(left) + ", " +
            std::to_string(top) + ")");
}

struct ResizeLinear {
  static constexpr const char* name = "resizeLinear";
  static constexpr int64_t largest = 32768;  // of a resized side
  In x;                                      // u8 (T, H, W, 3)
  int64_t width = 0, height = 0;             // what the frames are resized to
  int64_t left = 0, top = 0, crop_width = 0, crop_height = 0;
  Out y;  // u8 (T, crop height, crop width, 3)

  template <class V>
  void visit(V& v) {
    v("x", x), v("width", width), v("height", height), v("left", left), v("top", top);
    v("cropWidth", crop_width), v("cropHeight", crop_height), v("y", y);
  }

  void infer() {
    check(width >= 1 && height >= 1 && width <= largest && height <= largest, name, "sides from 1 to 32768",
          std::to_string(width) + " x " + std::to_string(height));
    check_frame_box(name, x, width, height, left, top, crop_width, crop_height);
    y.set({x.shape()[0], crop_height, crop_width, 3}, DType::u8);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<ResizeLinear> cases(Draw& draw) {
    return {{draw.bytes({2, 9, 12, 3}), 8, 6, 1, 2, 5, 4},
            {draw.bytes({1, 40, 50, 3}), 33, 24, 4, 0, 24, 24},
            {draw.bytes({3, 5, 7, 3}), 20, 15, 0, 0, 20, 15},
            {draw.bytes({1, 1, 1, 3}), 4, 4, 0, 0, 4, 4}};
  }
};

struct Interpolate {
  static constexpr const char* name = "interpolate";
  In x;                                              // u8 (T, H, W, 3)
  int64_t left = 0, top = 0, width = 0, height = 0;  // the box that becomes the picture, inside the frame
  int64_t size = 0;
  bool flip = false;       // left and right exchanged
  bool normalize = false;  // by the ImageNet statistics
  Out y;                   // f32 (3, T, size, size), in [0, 1] unless normalised

  template <class V>
  void visit(V& v) {
    v("x", x), v("left", left), v("top", top), v("width", width), v("height", height), v("size", size);
    v("flip", flip), v("normalize", normalize), v("y", y);
  }

  void infer() {
    const bool frames = x.shape().rank() == 4;
    check_frame_box(name, x, frames ? x.shape()[2] : 0, frames ? x.shape()[1] : 0, left, top, width, height);
    check(size >= 1 && size <= 16384, name, "a size from 1 to 16384", std::to_string(size));
    y.set({3, x.shape()[0], size, size}, DType::f32);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Interpolate> cases(Draw& draw) {
    return {{draw.bytes({2, 9, 12, 3}), 1, 2, 7, 5, 4},
            {draw.bytes({1, 40, 50, 3}), 0, 0, 50, 40, 24},
            {draw.bytes({3, 1, 1, 3}), 0, 0, 1, 1, 5},
            {draw.bytes({2, 9, 12, 3}), 1, 2, 7, 5, 4, true, true}};
  }
};

}  // namespace videomae
