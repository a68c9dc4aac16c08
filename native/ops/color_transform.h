// Colour operations of RandAugment on RGB frames, exactly as Pillow does them (spec 15.3). `amount` is
//   color, contrast, brightness, sharpness   the factor f of blend(d, x, f) = d + f (x - d), in f32, truncated
//   posterize                                the bits that stay, 0 to 8
//   solarize                                 the level from which values are inverted, 0 to 256
//   solarizeAdd                              what is added to values below 128, 0 to 255
// and nothing for autoContrast, equalize and invert. Statistics are those of each frame.
#pragma once

#include "ops/frames.h"

namespace videomae {

struct ColorTransform {
  static constexpr const char* name = "colorTransform";
  enum Kind {
    auto_contrast,
    equalize,
    invert,
    posterize,
    solarize,
    solarize_add,
    color,
    contrast,
    brightness,
    sharpness,
    count
  };
  In x;  // u8 (T, H, W, 3)
  Choice kind{{"autoContrast", "equalize", "invert", "posterize", "solarize", "solarizeAdd", "color", "contrast",
               "brightness", "sharpness"}};
  double amount = 0;
  Out y;  // like x

  template <class V>
  void visit(V& v) {
    v("x", x), v("kind", kind), v("amount", amount), v("y", y);
  }

  /// Whether a result depends on its own value and on statistics of the frame alone, channel by channel.
  bool by_table() const { return kind.value != color && kind.value != sharpness; }

  int64_t frames() const { return x.shape()[0]; }
  int64_t height() const { return x.shape()[1]; }
  int64_t width() const { return x.shape()[2]; }

  void infer() {
    check_frames(name, x);
    const double most = kind.value == posterize      ? 8
                        : kind.value == solarize     ? 256
                        : kind.value == solarize_add ? 255
                                                     : 100;
    const bool whole = kind.value == posterize || kind.value == solarize || kind.value == solarize_add;
    check(amount >= 0 && amount <= most && (!whole || amount == std::floor(amount)), name,
          std::string("an amount from 0 to ") + std::to_string(static_cast<int>(most)) + " for " +
              kind.words[kind.value] + (whole ? ", a whole number" : ""),
          std::to_string(amount));
    y.like(x);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<ColorTransform> cases(Draw& draw) {
    std::vector<ColorTransform> list;
    for (const Shape& shape : {Shape{1, 1, 1, 3}, Shape{2, 2, 2, 3}, Shape{3, 9, 17, 3}, Shape{0, 4, 4, 3}})
      for (int kind = 0; kind < count; ++kind)
        for (double amount : {0.0, 0.37, 1.63}) {
          ColorTransform op{draw.bytes(shape)};
          op.kind.value = kind;
          const bool whole = kind == posterize || kind == solarize || kind == solarize_add;
          op.amount = whole ? std::floor(amount * 4) : amount;
          list.push_back(op);
        }
    return list;
  }
};

}  // namespace videomae
