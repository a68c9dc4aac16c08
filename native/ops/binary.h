// y = a (op) b, element by element with broadcasting, for add, sub, mul, div, maximum, minimum and pow.
// maximum and minimum propagate NaN; where a and b are equal each gets half of the gradient.
#pragma once

#include "ops/broadcast.h"

namespace videomae {

struct Binary {
  static constexpr const char* name = "binary";
  enum Kind { add, sub, mul, div, maximum, minimum, pow };
  In a, b;
  Choice kind{{"add", "sub", "mul", "div", "maximum", "minimum", "pow"}};
  Out y;  // the broadcast shape

  template <class V>
  void visit(V& v) {
    v("kind", kind), v("a", a), v("b", b), v("y", y);
  }

  void infer() {
    check_real(name, "a", a);
    check_same_dtype(name, "b", b, a);
    y.set(broadcast_shape(name, a.shape(), b.shape()), a.dtype());
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Binary> cases(Draw& draw) {
    std::vector<Binary> list;
    for (auto& [shape_a, shape_b] :
         std::vector<std::pair<Shape, Shape>>{{{}, {}},
                                              {{7}, {7}},
                                              {{3, 0}, {1, 1}},
                                              {{5, 1, 3}, {1, 4, 1}},
                                              {{2, 2, 3}, {3}},
                                              {{60, 1100}, {1100}},
                                              {{}, {70001}},
                                              {{2, 1, 2, 1, 2, 1, 2, 1}, {1, 3, 1, 2, 1, 2, 1, 3}}})
      for (int kind = add; kind <= pow; ++kind) {
        // Divisors and the bases of powers stay away from zero.
        Binary op{kind == pow ? draw.real(shape_a, 0.1, 3) : draw.real(shape_a),
                  kind == div ? draw.real(shape_b, 0.5, 2) : draw.real(shape_b)};
        op.kind.value = kind;
        list.push_back(op);
      }
    return list;
  }
};

/// Gradients of mul, div, maximum, minimum and pow, in the broadcast shape: the caller sums them over broadcast axes.
struct BinaryBackward {
  static constexpr const char* name = "binaryBackward";
  enum Kind { mul, div, maximum, minimum, pow };
  In grad_y;  // the broadcast shape
  In a, b;
  Choice kind{{"mul", "div", "maximum", "minimum", "pow"}};
  OptionalOut grad_a, grad_b;  // like gradY

  template <class V>
  void visit(V& v) {
    v("kind", kind), v("gradY", grad_y), v("a", a), v("b", b), v("gradA", grad_a), v("gradB", grad_b);
  }

  void infer() {
    check_real(name, "a", a);
    check_same_dtype(name, "b", b, a), check_same_dtype(name, "gradY", grad_y, a);
    check_shape(name, "gradY", grad_y, broadcast_shape(name, a.shape(), b.shape()));
    grad_a.like(grad_y);
    grad_b.like(grad_y);
  }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<BinaryBackward> cases(Draw& draw) {
    std::vector<BinaryBackward> list;
    for (auto& [shape_a, shape_b] : std::vector<std::pair<Shape, Shape>>{
             {{}, {}}, {{7}, {7}}, {{5, 1, 3}, {1, 4, 1}}, {{2, 2, 3}, {3}}, {{60, 1100}, {1100}}})
      for (int kind = mul; kind <= pow; ++kind) {
        BinaryBackward op{draw.real(broadcast_shape(name, shape_a, shape_b)),
                          kind == pow ? draw.real(shape_a, 0.1, 3) : draw.real(shape_a),
                          kind == div ? draw.real(shape_b, 0.5, 2) : draw.real(shape_b)};
        op.kind.value = kind;
        list.push_back(op);
      }
    return list;
  }
};

}  // namespace videomae
