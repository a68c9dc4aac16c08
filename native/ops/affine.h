// Frames under an affine map, exactly as Pillow does it (spec 15.4): pixel (x, y) of the result is read at
//   X = a (x + 1/2) + b (y + 1/2) + c,   Y = d (x + 1/2) + e (y + 1/2) + f
// and has the fill colour where that is outside the frame. Filters: bilinear, or bicubic with the coefficient -1; taps
// beyond the frame's border are those at the border. Computed in f64, clamped, truncated.
#pragma once

#include "ops/frames.h"

namespace videomae {

struct Affine {
  static constexpr const char* name = "affine";
  enum Filter { bilinear, bicubic };
  In x;  // u8 (T, H, W, 3)
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
  Choice filter{{"bilinear", "bicubic"}, bicubic};
  int64_t fill = 128;  // of every channel
  Out y;               // like x

  template <class V>
  void visit(V& v) {
    v("x", x), v("a", a), v("b", b), v("c", c), v("d", d), v("e", e), v("f", f), v("filter", filter);
    v("fill", fill), v("y", y);
  }

  int64_t frames() const { return x.shape()[0]; }
  int64_t height() const { return x.shape()[1]; }
  int64_t width() const { return x.shape()[2]; }

  void infer() {
    check_frames(name, x);
    for (auto [field, value] : {std::pair{"a", a}, {"b", b}, {"c", c}, {"d", d}, {"e", e}, {"f", f}})
      check(std::isfinite(value), name, std::string("a finite ") + field, std::to_string(value));
    check(fill >= 0 && fill <= 255, name, "a fill from 0 to 255", std::to_string(fill));
    y.like(x);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Affine> cases(Draw& draw) {
    std::vector<Affine> list;
    for (const Shape& shape : {Shape{1, 1, 1, 3}, Shape{2, 9, 17, 3}, Shape{0, 4, 4, 3}})
      for (int filter : {bilinear, bicubic})
        for (double k : {0.0, 0.21, -0.21}) {
          Affine op{draw.bytes(shape), 1, k, 2 * k, -k, 1, 0.5 * k};
          op.filter.value = filter;
          list.push_back(op);
        }
    return list;
  }
};

}  // namespace videomae
