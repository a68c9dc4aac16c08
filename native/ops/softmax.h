// softmax and its logarithm over the last axis: y = exp(x - max) / sum(exp(x - max)), y = x - max - log(sum(...)).
#pragma once

#include "ops/op.h"

namespace videomae {

/// What the four ops below share: rows along the last axis.
inline void check_rows(const char* op, const char* operand, const In& x) {
  check_real(op, operand, x);
  check(x.shape().rank() >= 1 && x.shape()[-1] > 0, op, std::string(operand) + " of shape [..., D] with D > 0",
        x.tensor.text());
}

/// Row lengths that hurt.
inline std::vector<Shape> row_cases() { return {{1}, {0, 7}, {3, 7}, {2, 3, 33}, {5, 160}, {4, 88}, {70, 1408}}; }

struct Softmax {
  static constexpr const char* name = "softmax";
  In x;   // (..., D)
  Out y;  // (..., D)

  template <class V>
  void visit(V& v) {
    v("x", x), v("y", y);
  }

  void infer() {
    check_rows(name, "x", x);
    y.like(x);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Softmax> cases(Draw& draw) {
    std::vector<Softmax> list;
    for (const Shape& shape : row_cases()) list.push_back({draw.real(shape, -5, 5)});
    return list;
  }
};

/// gradX = y * (gradY - sum(gradY * y)).
struct SoftmaxBackward {
  static constexpr const char* name = "softmaxBackward";
  In grad_y, y;  // (..., D)
  Out grad_x;    // (..., D)

  template <class V>
  void visit(V& v) {
    v("gradY", grad_y), v("y", y), v("gradX", grad_x);
  }

  void infer() {
    check_rows(name, "y", y);
    check_same_dtype(name, "gradY", grad_y, y), check_shape(name, "gradY", grad_y, y.shape());
    grad_x.like(y);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<SoftmaxBackward> cases(Draw& draw) {
    std::vector<SoftmaxBackward> list;
    for (const Shape& shape : row_cases())
      list.push_back({draw.real(shape), draw.real(shape, 0, 1.5 / static_cast<double>(shape[-1]))});
    return list;
  }
};

struct LogSoftmax {
  static constexpr const char* name = "logSoftmax";
  In x;   // (..., D)
  Out y;  // (..., D)

  template <class V>
  void visit(V& v) {
    v("x", x), v("y", y);
  }

  void infer() {
    check_rows(name, "x", x);
    y.like(x);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<LogSoftmax> cases(Draw& draw) {
    std::vector<LogSoftmax> list;
    for (const Shape& shape : row_cases()) list.push_back({draw.real(shape, -5, 5)});
    return list;
  }
};

/// gradX = gradY - exp(y) * sum(gradY).
struct LogSoftmaxBackward {
  static constexpr const char* name = "logSoftmaxBackward";
  In grad_y, y;  // (..., D)
  Out grad_x;    // (..., D)

  template <class V>
  void visit(V& v) {
    v("gradY", grad_y), v("y", y), v("gradX", grad_x);
  }

  void infer() {
    check_rows(name, "y", y);
    check_same_dtype(name, "gradY", grad_y, y), check_shape(name, "gradY", grad_y, y.shape());
    grad_x.like(y);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<LogSoftmaxBackward> cases(Draw& draw) {
    std::vector<LogSoftmaxBackward> list;
    for (const Shape& shape : row_cases()) list.push_back({draw.real(shape), draw.real(shape, -6, -0.1)});
    return list;
  }
};

}  // namespace videomae
