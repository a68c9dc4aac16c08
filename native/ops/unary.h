// y = f(x), element by element. gelu is the exact (erf) form; relu, abs and sign propagate NaN.
#pragma once

#include "ops/op.h"

namespace videomae {

/// The functions, in the order of `kind`.
struct UnaryKind {
  enum Kind { neg, exp, log, sqrt, square, abs, relu, tanh, sigmoid, sign, gelu, count };
  static Choice choice() {
    return {{"neg", "exp", "log", "sqrt", "square", "abs", "relu", "tanh", "sigmoid", "sign", "gelu"}};
  }
  /// Whether the derivative is written in terms of the function's value.
  static bool by_value(int kind) { return kind == exp || kind == sqrt || kind == tanh || kind == sigmoid; }
  /// Whether it is written in terms of the argument.
  static bool by_argument(int kind) {
    return kind == log || kind == square || kind == abs || kind == relu || kind == gelu;
  }
  static double lowest_tested(int kind) { return kind == log || kind == sqrt ? 0.1 : -3; }
};

struct Unary {
  static constexpr const char* name = "unary";
  In x;
  Choice kind = UnaryKind::choice();
  Out y;  // like x

  template <class V>
  void visit(V& v) {
    v("kind", kind), v("x", x), v("y", y);
  }

  void infer() {
    check_real(name, "x", x);
    y.like(x);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Unary> cases(Draw& draw) {
    std::vector<Unary> list;
    for (const Shape& shape : {Shape{}, Shape{3, 0}, Shape{7}, Shape{3, 20011}})
      for (int kind = 0; kind < UnaryKind::count; ++kind) {
        Unary op{draw.real(shape, UnaryKind::lowest_tested(kind), 3)};
        op.kind.value = kind;
        list.push_back(op);
      }
    return list;
  }
};

/// gradX = gradY * f'(x). exp, sqrt, tanh and sigmoid need y; log, square, abs, relu and gelu need x.
/// abs and relu have derivative 0 at 0.
struct UnaryBackward {
  static constexpr const char* name = "unaryBackward";
  In grad_y;
  OptionalIn x, y;  // like gradY
  Choice kind = UnaryKind::choice();
  Out grad_x;  // like gradY

  template <class V>
  void visit(V& v) {
    v("kind", kind), v("gradY", grad_y), v("x", x), v("y", y), v("gradX", grad_x);
  }

  void infer() {
    check_real(name, "gradY", grad_y);
    const std::string of = std::string("for the gradient of ") + kind.words[kind.value];
    if (UnaryKind::by_argument(kind.value)) check(x.given(), name, "x " + of, "none");
    if (UnaryKind::by_value(kind.value)) check(y.given(), name, "y " + of, "none");
    if (x.given()) check_same_dtype(name, "x", x, grad_y), check_shape(name, "x", x, grad_y.shape());
    if (y.given()) check_same_dtype(name, "y", y, grad_y), check_shape(name, "y", y, grad_y.shape());
    grad_x.like(grad_y);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<UnaryBackward> cases(Draw& draw) {
    std::vector<UnaryBackward> list;
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 20011}})
      for (int kind = 0; kind < UnaryKind::count; ++kind) {
        UnaryBackward op{draw.real(shape)};
        op.kind.value = kind;
        if (UnaryKind::by_argument(kind)) op.x.tensor = draw.real(shape, UnaryKind::lowest_tested(kind), 3).tensor;
        if (UnaryKind::by_value(kind)) op.y.tensor = draw.real(shape, 0.1, 0.9).tensor;
        list.push_back(op);
      }
    return list;
  }
};

}  // namespace videomae
