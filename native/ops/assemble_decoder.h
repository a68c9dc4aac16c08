// The decoder's input in one pass (spec 2.5): visible tokens plus their positions, then the mask token plus the
// position of every token to be reconstructed. Order is carried by the positions alone; nothing is unshuffled.
#pragma once

#include "ops/token_grid.h"

namespace videomae {

struct AssembleDecoder {
  static constexpr const char* name = "assembleDecoder";
  In x;           // (B, V, D)
  In mask_token;  // (1, 1, D), wide
  In position;    // (N, D), wide
  In visible;     // i32 (B, V)
  In decoded;     // i32 (B, R)
  Out y;          // (B, V + R, D)

  template <class V>
  void visit(V& v) {
    v("x", x), v("maskToken", mask_token), v("position", position), v("visible", visible), v("decoded", decoded);
    v("y", y);
  }

  void infer() {
    check_real(name, "x", x);
    check_rank(name, "x", x, 3, "[B, V, D]");
    const int64_t batch = x.shape()[0], width = x.shape()[2];
    check_wide_of(name, "maskToken", mask_token, x), check_shape(name, "maskToken", mask_token, {1, 1, width});
    check_wide_of(name, "position", position, x);
    check(position.shape().rank() == 2 && position.shape()[1] == width, name,
          "position of shape [N, " + std::to_string(width) + "]", position.tensor.text());
    check_token_index(name, "visible", visible, batch, position.shape()[0]);
    check_token_index(name, "decoded", decoded, batch, position.shape()[0]);
    check(visible.shape()[1] == x.shape()[1], name, "one visible index a row of x " + x.tensor.text(),
          visible.tensor.text());
    y.set({batch, visible.shape()[1] + decoded.shape()[1], width}, x.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<AssembleDecoder> cases(Draw& draw) {
    return {{draw.real({1, 1, 1}), draw.wide({1, 1, 1}), draw.wide({2, 1}), draw.ascending(1, 1, 2),
             draw.ascending(1, 1, 2)},
            {draw.real({2, 8, 24}), draw.wide({1, 1, 24}), draw.wide({32, 24}), draw.ascending(2, 8, 32),
             draw.ascending(2, 16, 32)},
            {draw.real({3, 3, 7}), draw.wide({1, 1, 7}), draw.wide({5, 7}), draw.ascending(3, 3, 5),
             draw.ascending(3, 0, 5)}};
  }
};

/// The mask token's gradient: the sum of the last R rows of every clip, clip by clip in order.
struct AssembleDecoderBackward {
  static constexpr const char* name = "assembleDecoderBackward";
  In grad_y;                    // (B, V + R, D)
  int64_t visible = 0;          // V
  OptionalOut grad_x;           // (B, V, D)
  OptionalOut grad_mask_token;  // (1, 1, D), wide

  template <class V>
  void visit(V& v) {
    v("gradY", grad_y), v("visible", visible), v("gradX", grad_x), v("gradMaskToken", grad_mask_token);
  }

  void infer() {
    check_real(name, "gradY", grad_y);
    check_rank(name, "gradY", grad_y, 3, "[B, V + R, D]");
    check(visible >= 0 && visible <= grad_y.shape()[1], name, "visible from 0 to " + std::to_string(grad_y.shape()[1]),
          std::to_string(visible));
    grad_x.set({grad_y.shape()[0], visible, grad_y.shape()[2]}, grad_y.dtype());
    grad_mask_token.set({1, 1, grad_y.shape()[2]}, wide_of(grad_y.dtype()));
  }

  size_t workspace(DeviceKind) const {
    return static_cast<size_t>(grad_y.shape()[0] * grad_y.shape()[2]) * size_of(wide_of(grad_y.dtype()));
  }

  static std::vector<AssembleDecoderBackward> cases(Draw& draw) {
    return {{draw.real({1, 2, 1}), 1}, {draw.real({2, 24, 24}), 8}, {draw.real({3, 5, 7}), 0}};
  }
};

}  // namespace videomae
