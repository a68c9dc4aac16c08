// y = (x - mean) * rstd * weight + bias over the last axis (D wide), rstd = 1 / sqrt(variance + eps).
// Statistics are kept for the backward pass. With a residual, x + residual (rounded to the dtype of x) is what is
// normalised, and an output of its own: the addition costs no pass of memory.
#pragma once

#include "ops/op.h"

namespace videomae {

struct LayerNorm {
  static constexpr const char* name = "layerNorm";
  In x;             // (..., D)
  In weight, bias;  // (D), wide
  double eps = 1e-6;
  OptionalIn residual;  // (..., D)
  Out y;                // (..., D)
  Out mean, rstd;       // (rows), wide
  OptionalOut sum;      // (..., D): x + residual; none without a residual

  template <class V>
  void visit(V& v) {
    v("x", x), v("weight", weight), v("bias", bias), v("eps", eps), v("residual", residual);
    v("y", y), v("mean", mean), v("rstd", rstd), v("sum", sum);
  }

  int64_t width() const { return x.shape()[-1]; }
  int64_t rows() const { return x.elements() / width(); }

  void infer() {
    check_real(name, "x", x);
    check(x.shape().rank() >= 1 && width() > 0, name, "x of shape [..., D] with D > 0", x.tensor.text());
    for (auto [operand, t] : {std::pair{"weight", &weight}, {"bias", &bias}}) {
      check_wide_of(name, operand, *t, x);
      check_shape(name, operand, *t, {width()}, "it must match the last axis of x, " + x.tensor.text());
    }
    check(eps >= 0, name, "eps of 0 or more", std::to_string(eps));
    if (residual.given()) {
      check_same_dtype(name, "residual", residual, x);
      check_shape(name, "residual", residual, x.shape());
    }
    sum.wanted = sum.wanted && residual.given();
    sum.like(x);
    y.like(x);
    mean.set({rows()}, wide_of(x.dtype()));
    rstd.set({rows()}, wide_of(x.dtype()));
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<LayerNorm> cases(Draw& draw) {
    std::vector<LayerNorm> list;
    for (auto [rows, width] : {std::pair<int64_t, int64_t>{1, 1},
                               {3, 7},
                               {5, 96},
                               {160, 384},
                               {33, 768},
                               {9, 1408},
                               {7, 80},
                               {2, 88},
                               {0, 7}})
      list.push_back({draw.real({rows, width}), draw.wide({width}), draw.wide({width})});
    return list;
  }
};

/// Gradients of layerNorm. Column sums are taken in two stages over row blocks of fixed size. The gradient of a
/// residual is gradX; what reached its sum by another way, gradSum, is added to it.
struct LayerNormBackward {
  static constexpr const char* name = "layerNormBackward";
  In grad_y, x;                     // (..., D)
  In weight;                        // (D), wide
  In mean, rstd;                    // (rows), wide
  OptionalIn grad_sum;              // (..., D)
  OptionalOut grad_x;               // (..., D)
  AddedOut grad_weight, grad_bias;  // (D), wide

  static constexpr int64_t rows_per_block = 64;

  template <class V>
  void visit(V& v) {
    v("gradY", grad_y), v("x", x), v("weight", weight), v("mean", mean), v("rstd", rstd);
    v("gradSum", grad_sum), v("gradX", grad_x), v("gradWeight", grad_weight), v("gradBias", grad_bias);
  }

  int64_t width() const { return x.shape()[-1]; }
  int64_t rows() const { return x.elements() / width(); }
  int64_t blocks() const { return (rows() + rows_per_block - 1) / rows_per_block; }

  void infer() {
    check_real(name, "x", x);
    check(x.shape().rank() >= 1 && width() > 0, name, "x of shape [..., D] with D > 0", x.tensor.text());
    check_same_dtype(name, "gradY", grad_y, x), check_shape(name, "gradY", grad_y, x.shape());
    check_wide_of(name, "weight", weight, x), check_shape(name, "weight", weight, {width()});
    check_wide_of(name, "mean", mean, x), check_shape(name, "mean", mean, {rows()});
    check_wide_of(name, "rstd", rstd, x), check_shape(name, "rstd", rstd, {rows()});
    if (grad_sum.given()) {
      check_same_dtype(name, "gradSum", grad_sum, x);
      check_shape(name, "gradSum", grad_sum, x.shape());
    }
    grad_x.like(x);
    grad_weight.like(weight);
    grad_bias.like(weight);
  }

  size_t workspace(DeviceKind) const {
    return static_cast<size_t>(2 * blocks() * width()) * size_of(wide_of(x.dtype()));
  }

  static std::vector<LayerNormBackward> cases(Draw& draw) {
    std::vector<LayerNormBackward> list;
    for (auto [rows, width] :
         {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {160, 384}, {130, 768}, {9, 1408}, {7, 80}, {65, 88}, {0, 7}})
      for (bool sum : {false, true}) {
        LayerNormBackward op{draw.real({rows, width}), draw.real({rows, width}), draw.wide({width}),
                             draw.wide({rows}, -0.1, 0.1), draw.wide({rows}, 0.9, 1.1)};
        if (sum) {
          op.grad_sum.tensor = draw.real({rows, width}).tensor;
          op.grad_weight.add_to(draw.wide({width}).tensor), op.grad_bias.add_to(draw.wide({width}).tensor);
        }
        list.push_back(op);
      }
    return list;
  }
};

}  // namespace videomae
