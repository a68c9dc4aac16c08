// The pre-training loss (spec 3): the target of each reconstructed token is its pixels, normalised per token and per
// channel (unbiased variance, epsilon outside the root) or raw in [0, 1]; the loss is the squared error's mean over a
// token's columns, then over the reconstructed tokens that the encoder did not see. Targets are built a token at a
// time and never materialised. Columns are (dt, dy, dx, channel), channel fastest.
#pragma once

#include "ops/token_grid.h"

namespace videomae {

/// The operands that the loss and its gradient share.
struct PixelLossOperands {
  In prediction;  // (B, R, P), P = tubelet * patch * patch * 3
  In video;       // u8 (B, T, H, W, 3) or wide (B, 3, T, H, W)
  In decoded;     // i32 (B, R): the token each row of the prediction is about
  In visible;     // i32 (B, V): what the encoder saw; its tokens carry no loss
  int64_t tubelet = 2, patch = 16;
  bool normalize = true;
  ClipWindow window;

  template <class V>
  void visit(V& v) {
    v("prediction", prediction), v("video", video), v("decoded", decoded), v("visible", visible);
    v("tubelet", tubelet), v("patch", patch), v("normalize", normalize);
    window.visit(v);
  }

  TokenGrid grid(const char* name) const { return TokenGrid::of(name, video, tubelet, patch, window); }
  int64_t rows() const { return decoded.elements(); }

  void check_operands(const char* name) const {
    check_real(name, "prediction", prediction);
    if (video.dtype() != DType::u8) check_wide_of(name, "video", video, prediction);
    const TokenGrid g = grid(name);
    check_window(name, g, window);
    check_token_index(name, "decoded", decoded, g.batch, g.tokens());
    check_token_index(name, "visible", visible, g.batch, g.tokens());
    check_shape(name, "prediction", prediction, {g.batch, decoded.shape()[1], 3 * g.pixels()},
                "one row a decoded token, tubelet * patch * patch * 3 columns");
    check(!normalize || g.pixels() > 1, name, "at least two pixels a token to normalise", std::to_string(g.pixels()));
  }

  static PixelLossOperands make(Draw& draw, bool bytes, bool normalize) {
    PixelLossOperands o;
    o.prediction = draw.real({2, 8, 2 * 16 * 3});
    o.video = bytes ? draw.bytes({2, 4, 16, 16, 3}) : draw.wide({2, 3, 4, 16, 16});
    o.decoded = draw.ascending(2, 8, 32);
    o.visible = draw.ascending(2, 4, 32);
    o.patch = 4;
    o.normalize = normalize;
    return o;
  }

  /// The same, seen through windows of a larger video.
  static PixelLossOperands make_windowed(Draw& draw, bool bytes) {
    PixelLossOperands o = make(draw, bytes, true);
    o.video = bytes ? draw.bytes({2, 4, 19, 22, 3}) : draw.wide({2, 3, 4, 19, 22});
    o.window = draw_windows(19, 22, 16);
    return o;
  }
};

struct MaskedPixelLoss : PixelLossOperands {
  static constexpr const char* name = "maskedPixelLoss";
  Out loss;                // (), wide
  OptionalOut token_loss;  // (B, R), wide: each token's mean squared error, visible ones included
  Out weight;              // (), wide: how many tokens the mean was taken over

  template <class V>
  void visit(V& v) {
    PixelLossOperands::visit(v);
    v("loss", loss), v("tokenLoss", token_loss), v("weight", weight);
  }

  void infer() {
    check_operands(name);
    loss.set({}, wide_of(prediction.dtype()));
    token_loss.set(decoded.shape(), wide_of(prediction.dtype()));
    weight.set({}, wide_of(prediction.dtype()));
  }

  /// Each row's loss in f64, then a (B, N) map of visible tokens.
  size_t workspace(DeviceKind) const {
    return static_cast<size_t>(rows()) * sizeof(double) + static_cast<size_t>(grid(name).batch * grid(name).tokens());
  }

  static std::vector<MaskedPixelLoss> cases(Draw& draw) {
    return {{PixelLossOperands::make(draw, false, true)},
            {PixelLossOperands::make(draw, true, true)},
            {PixelLossOperands::make(draw, true, false)},
            {PixelLossOperands::make_windowed(draw, true)},
            {PixelLossOperands::make_windowed(draw, false)}};
  }
};

struct MaskedPixelLossBackward : PixelLossOperands {
  static constexpr const char* name = "maskedPixelLossBackward";
  In grad_loss;         // (), wide
  In weight;            // (), wide
  Out grad_prediction;  // (B, R, P)

  template <class V>
  void visit(V& v) {
    PixelLossOperands::visit(v);
    v("gradLoss", grad_loss), v("weight", weight), v("gradPrediction", grad_prediction);
  }

  void infer() {
    check_operands(name);
    check_wide_of(name, "gradLoss", grad_loss, prediction), check_shape(name, "gradLoss", grad_loss, {});
    check_wide_of(name, "weight", weight, prediction), check_shape(name, "weight", weight, {});
    grad_prediction.like(prediction);
  }

  size_t workspace(DeviceKind) const { return static_cast<size_t>(grid(name).batch * grid(name).tokens()); }

  static std::vector<MaskedPixelLossBackward> cases(Draw& draw) {
    std::vector<MaskedPixelLossBackward> list;
    for (bool normalize : {false, true})
      list.push_back({PixelLossOperands::make(draw, true, normalize), draw.wide({}), draw.wide({}, 5, 6)});
    list.push_back({PixelLossOperands::make_windowed(draw, true), draw.wide({}), draw.wide({}, 5, 6)});
    return list;
  }
};

/// The targets themselves, for pictures and tests.
struct PixelTargets {
  static constexpr const char* name = "pixelTargets";
  In video;    // u8 (B, T, H, W, 3) or wide (B, 3, T, H, W)
  In decoded;  // i32 (B, R)
  int64_t tubelet = 2, patch = 16;
  bool normalize = true, f64 = false;
  ClipWindow window;
  Out y;  // (B, R, P), f32 or f64

  template <class V>
  void visit(V& v) {
    v("video", video), v("decoded", decoded), v("tubelet", tubelet), v("patch", patch), v("normalize", normalize);
    v("f64", f64);
    window.visit(v);
    v("y", y);
  }

  TokenGrid grid() const { return TokenGrid::of(name, video, tubelet, patch, window); }

  void infer() {
    const TokenGrid g = grid();
    check_window(name, g, window);
    check_token_index(name, "decoded", decoded, g.batch, g.tokens());
    y.set({g.batch, decoded.shape()[1], 3 * g.pixels()}, f64 ? DType::f64 : DType::f32);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<PixelTargets> cases(Draw& draw) {
    return {{draw.bytes({2, 4, 16, 16, 3}), draw.ascending(2, 8, 32), 2, 4, true, draw.real() == DType::f64},
            {draw.wide({2, 3, 4, 16, 16}), draw.ascending(2, 8, 32), 2, 4, false, draw.real() == DType::f64},
            {draw.bytes({2, 4, 19, 22, 3}), draw.ascending(2, 8, 32), 2, 4, true, draw.real() == DType::f64,
             draw_windows(19, 22, 16)}};
  }
};

}  // namespace videomae
