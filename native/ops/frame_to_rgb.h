// Pictures as a video codec stores them (planes of luma and chroma, or of green, blue and red) to RGB bytes, turned as
// they are to be shown. The arithmetic is our own, in integers, so that pixels depend neither on the version of a
// library nor on the processor:
//
//   Y' = (Y - black) * 255 / (white - black),  C' = (C - middle) * 255 / chroma span
//   R = Y' + 2 (1 - kr) V',  B = Y' + 2 (1 - kb) U',  G = (Y' - kr R - kb B) / (1 - kr - kb)
//
// with factors in fixed point of depth + 8 bits (at most 20), rounded half up, clamped. A chroma sample colours all the
// luma samples that it stands for. Cost: one pass, a few integer operations a pixel.
#pragma once

#include "ops/op.h"

namespace videomae {

struct FrameToRgb {
  static constexpr const char* name = "frameToRgb";
  enum Model { yuv, gray, gbr, rgb };
  In x;  // u8 (T, bytes of a picture): planes one after another without padding; samples of over 8 bit little-endian
  int64_t width = 0, height = 0;                               // as stored
  Choice model{{"yuv", "gray", "gbr", "rgb"}};                 // rgb: interleaved, 8 bit
  int64_t depth = 8;                                           // bits of a sample
  int64_t chroma_x = 0, chroma_y = 0;                          // log2 of luma samples a chroma sample, across and down
  double kr = 0.299, kb = 0.114;                               // weights of red and blue in luma
  bool full = false;                                           // samples use their whole range
  bool transpose = false, mirror_x = false, mirror_y = false;  // transposed first, then mirrored
  Out y;  // u8 (T, height, width, 3), or (T, width, height, 3) when transposed

  template <class V>
  void visit(V& v) {
    v("x", x), v("width", width), v("height", height), v("model", model), v("depth", depth);
    v("chromaX", chroma_x), v("chromaY", chroma_y), v("kr", kr), v("kb", kb), v("full", full);
    v("transpose", transpose), v("mirrorX", mirror_x), v("mirrorY", mirror_y), v("y", y);
  }

  int64_t chroma_width() const { return (width + (int64_t{1} << chroma_x) - 1) >> chroma_x; }
  int64_t chroma_height() const { return (height + (int64_t{1} << chroma_y) - 1) >> chroma_y; }

  /// Bytes of a picture.
  int64_t bytes() const {
    const int64_t luma = width * height;
    const int64_t samples = model.value == gray  ? luma
                            : model.value == yuv ? luma + 2 * chroma_width() * chroma_height()
                                                 : 3 * luma;
    return samples * (depth > 8 ? 2 : 1);
  }

  void infer() {
    check_dtype(name, "x", x, {DType::u8});
    check_rank(name, "x", x, 2, "[T, bytes]");
    const auto in_range = [](const char* field, int64_t value, int64_t low, int64_t high) {
      check(value >= low && value <= high, name,
            std::string(field) + " from " + std::to_string(low) + " to " + std::to_string(high), std::to_string(value));
    };
    in_range("width", width, 1, 65536), in_range("height", height, 1, 65536);
    in_range("depth", depth, 8, model.value == rgb ? 8 : 16);
    in_range("chromaX", chroma_x, 0, 2), in_range("chromaY", chroma_y, 0, 2);
    check(kr > 0 && kb > 0 && kr + kb <= 0.9, name, "kr and kb above 0, with a sum of at most 0.9",
          std::to_string(kr) + " and " + std::to_string(kb));
    check(x.shape()[1] == bytes(), name,
          std::to_string(bytes()) + " bytes a picture of " + std::to_string(width) + " x " + std::to_string(height),
          x.tensor.text());
    if (transpose)
      y.set({x.shape()[0], width, height, 3}, DType::u8);
    else
      y.set({x.shape()[0], height, width, 3}, DType::u8);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<FrameToRgb> cases(Draw& draw) {
    std::vector<FrameToRgb> list;
    for (int model : {yuv, gray, gbr, rgb})
      for (int64_t depth : {8, 10, 16})
        for (int turn = 0; turn < 3; ++turn) {
          if (model == rgb && depth > 8) continue;
          FrameToRgb op;
          op.width = 37, op.height = 35, op.model.value = model, op.depth = depth;
          op.chroma_x = turn, op.chroma_y = turn == 1;
          op.full = turn == 1, op.transpose = turn == 1, op.mirror_x = turn > 0, op.mirror_y = turn == 2;
          op.x = draw.bytes({3, op.bytes()});
          list.push_back(op);
        }
    return list;
  }
};

/// The factors of the formulas above, times 2^shift.
struct RgbFactors {
  int shift;
  int32_t half, most, black, middle, luma, red_v, green_u, green_v, blue_u;

  explicit RgbFactors(const FrameToRgb& op) {
    const int depth = static_cast<int>(op.depth);
    shift = std::min(depth + 8, 20);
    const int32_t unit = 1 << (depth - 8);
    const double one = 1 << shift;
    most = (1 << depth) - 1;
    const double luma_span = op.full ? most : 219.0 * unit, chroma_span = op.full ? most : 224.0 * unit;
    const auto fixed = [&](double factor) { return static_cast<int32_t>(std::lround(factor * 255 * one)); };
    const double kg = 1 - op.kr - op.kb;
    half = 1 << (shift - 1);
    black = op.full ? 0 : 16 * unit;
    middle = 128 * unit;
    luma = fixed(1 / luma_span);
    red_v = fixed(2 * (1 - op.kr) / chroma_span);
    blue_u = fixed(2 * (1 - op.kb) / chroma_span);
    green_v = fixed(-2 * (1 - op.kr) * op.kr / kg / chroma_span);
    green_u = fixed(-2 * (1 - op.kb) * op.kb / kg / chroma_span);
  }

  /// A sample; bits above its depth, which only a damaged picture has, are not let into the sums.
  VIDEOMAE_HOST_DEVICE int32_t sample(uint8_t value) const { return value; }
  VIDEOMAE_HOST_DEVICE int32_t sample(uint16_t value) const { return value < most ? value : most; }

  VIDEOMAE_HOST_DEVICE uint8_t rounded(int32_t value) const {
    const int32_t whole = value >> shift;
    return static_cast<uint8_t>(whole < 0 ? 0 : whole > 255 ? 255 : whole);
  }
};

}  // namespace videomae
