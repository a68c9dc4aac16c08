// y = x * weight^T + bias, then optionally the exact GELU, then optionally + residual: one GEMM with its epilogue.
// With gelu the pre-activation is kept for the backward pass. Cost: 2 * rows * in * out floating-point operations.
#pragma once

#include "ops/op.h"

namespace videomae {

/// Bytes of a packed weight (O, I) under the current instruction set; defined beside the CPU's kernel.
int64_t packed_weight_bytes(int64_t outputs, int64_t inputs, DType dtype);

struct Linear {
  static constexpr const char* name = "linear";
  In x;                 // (..., I)
  In weight;            // (O, I)
  OptionalIn bias;      // (O), wide
  OptionalIn residual;  // (..., O)
  OptionalIn packed;    // what packWeight made of the weight: saves packing it
  bool gelu = false;
  Out y;                      // (..., O)
  OptionalOut preactivation;  // (..., O), only with gelu

  template <class V>
  void visit(V& v) {
    v("x", x), v("weight", weight), v("bias", bias), v("residual", residual), v("packed", packed), v("gelu", gelu);
    v("y", y), v("preactivation", preactivation);
  }

  int64_t inputs() const { return weight.shape()[1]; }
  int64_t outputs() const { return weight.shape()[0]; }
  int64_t rows() const { return x.shape().product(0, x.shape().rank() - 1); }

  void infer() {
    check_real(name, "x", x);
    check_rank(name, "weight", weight, 2, "[O, I]");
    check_same_dtype(name, "weight", weight, x);
    check(x.shape().rank() >= 1 && x.shape()[-1] == inputs(), name,
          "x of shape [..., " + std::to_string(inputs()) + "] to match weight " + weight.tensor.text(),
          x.tensor.text());
    Shape shape = x.shape();
    shape[-1] = outputs();
    if (bias.given()) check_wide_of(name, "bias", bias, x), check_shape(name, "bias", bias, {outputs()});
    if (residual.given())
      check_same_dtype(name, "residual", residual, x), check_shape(name, "residual", residual, shape);
    if (packed.given())
      check_dtype(name, "packed", packed, {DType::u8}),
          check_shape(name, "packed", packed, {packed_weight_bytes(outputs(), inputs(), x.dtype())},
                      "pack the weight again: it was packed for another dtype or instruction set");
    y.set(shape, x.dtype());
    preactivation.set(shape, x.dtype());
    preactivation.wanted = preactivation.wanted && gelu;
  }

  size_t workspace(DeviceKind) const;

  static std::vector<Linear> cases(Draw& draw) {
    std::vector<Linear> list;
    for (auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                           {7, 13, 5},
                           {160, 96, 33},
                           {37, 257, 64},
                           {20, 48, 300},
                           {33, 88, 80},
                           {0, 5, 7},
                           {5, 7, 0}})
      for (int epilogue = 0; epilogue < 4; ++epilogue) {
        Linear op{draw.real({m, k}), draw.real({n, k})};
        if (epilogue > 0) op.bias.tensor = draw.wide({n}).tensor;
        if (epilogue == 2) op.residual.tensor = draw.real({m, n}).tensor;
        op.gelu = epilogue == 3;
        list.push_back(op);
      }
    return list;
  }
};

/// Gradients of linear. With gelu, `preactivation` is what the forward pass kept. The residual's gradient is gradY.
/// Where x is the GELU of something, as between the layers of a perceptron, `input_preactivation` stands in place of x,
/// which is made of it again: gradX is then the gradient before that GELU, and grad_input_bias the gradient of the bias
/// before it.
struct LinearBackward {
  static constexpr const char* name = "linearBackward";
  static constexpr int naive_intermediates = 2;  // the gradients before either GELU
  In grad_y;                                     // (..., O)
  OptionalIn x;                                  // (..., I)
  In weight;                                     // (O, I)
  OptionalIn preactivation;                      // (..., O)
  OptionalIn input_preactivation;                // (..., I)
  OptionalOut grad_x;                            // (..., I)
  AddedOut grad_weight;                          // (O, I), wide
  AddedOut grad_bias;                            // (O), wide
  AddedOut grad_input_bias;                      // (I), wide, only with input_preactivation: gradX's column sums

  static constexpr int64_t rows_per_block = 64;  // of the bias gradient's two-stage sum

  template <class V>
  void visit(V& v) {
    v("gradY", grad_y), v("x", x), v("weight", weight), v("preactivation", preactivation);
    v("inputPreactivation", input_preactivation);
    v("gradX", grad_x), v("gradWeight", grad_weight), v("gradBias", grad_bias), v("gradInputBias", grad_input_bias);
  }

  /// What is given of the input.
  const In& input() const { return input_preactivation.given() ? input_preactivation : x; }
  DType dtype() const { return weight.dtype(); }
  int64_t inputs() const { return weight.shape()[1]; }
  int64_t outputs() const { return weight.shape()[0]; }
  int64_t rows() const { return input().shape().product(0, input().shape().rank() - 1); }
  int64_t blocks() const { return (rows() + rows_per_block - 1) / rows_per_block; }
  bool needs_grad_x() const { return grad_x.wanted || grad_input_bias.wanted; }
  /// Whether x has to be made of its pre-activation.
  bool needs_activation() const { return grad_weight.wanted && input_preactivation.given(); }

  void infer() {
    check(x.given() != input_preactivation.given(), name, "either x or inputPreactivation",
          x.given() ? "both" : "neither");
    const char* operand = x.given() ? "x" : "inputPreactivation";
    check_real(name, operand, input());
    check_rank(name, "weight", weight, 2, "[O, I]");
    check_same_dtype(name, "weight", weight, input()), check_same_dtype(name, "gradY", grad_y, input());
    Shape shape = input().shape();
    check(shape.rank() >= 1 && shape[-1] == inputs(), name,
          operand + (" of shape [..., " + std::to_string(inputs())) + "] to match weight " + weight.tensor.text(),
          input().tensor.text());
    grad_x.set(shape, dtype());
    shape[-1] = outputs();
    check_shape(name, "gradY", grad_y, shape);
    if (preactivation.given())
      check_same_dtype(name, "preactivation", preactivation, weight),
          check_shape(name, "preactivation", preactivation, shape);
    grad_weight.set(weight.shape(), wide_of(dtype()));
    grad_bias.set({outputs()}, wide_of(dtype()));
    grad_input_bias.set({inputs()}, wide_of(dtype()));
    grad_input_bias.wanted = grad_input_bias.wanted && input_preactivation.given();
  }

  size_t workspace(DeviceKind) const;

  static std::vector<LinearBackward> cases(Draw& draw) {
    std::vector<LinearBackward> list;
    for (auto [m, n, k] :
         {std::array<int64_t, 3>{1, 1, 1}, {7, 13, 5}, {160, 96, 33}, {37, 257, 64}, {65, 88, 80}, {0, 5, 7}})
      for (int options = 0; options < 8; ++options) {
        LinearBackward op{draw.real({m, n}), {}, draw.real({n, k})};
        if (options & 1) op.preactivation.tensor = draw.real({m, n}).tensor;
        (options & 2 ? op.input_preactivation : op.x).tensor = draw.real({m, k}).tensor;
        if (options & 4) {
          op.grad_weight.add_to(draw.wide({n, k}).tensor), op.grad_bias.add_to(draw.wide({n}).tensor);
          if (options & 2) op.grad_input_bias.add_to(draw.wide({k}).tensor);
        }
        list.push_back(op);
      }
    return list;
  }
};

}  // namespace videomae
