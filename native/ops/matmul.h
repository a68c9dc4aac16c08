// y = op(a) op(b) over the last two axes, with the leading (batch) axes broadcast. One product of matrices per batch
// item; 2 M N K operations each.
#pragma once

#include "ops/broadcast.h"

namespace videomae {

struct Matmul {
  static constexpr const char* name = "matmul";
  In a;  // (..., M, K), or (..., K, M) with transposeA
  In b;  // (..., K, N), or (..., N, K) with transposeB
  bool transpose_a = false, transpose_b = false;
  Out y;  // (..., M, N)

  template <class V>
  void visit(V& v) {
    v("a", a), v("b", b), v("transposeA", transpose_a), v("transposeB", transpose_b), v("y", y);
  }

  int64_t m() const { return a.shape()[transpose_a ? -1 : -2]; }
  int64_t k() const { return a.shape()[transpose_a ? -2 : -1]; }
  int64_t n() const { return b.shape()[transpose_b ? -2 : -1]; }

  /// The leading axes of an operand.
  static Shape batch(const In& x) {
    Shape shape;
    for (int i = 0; i + 2 < x.shape().rank(); ++i) shape.push_back(x.shape()[i]);
    return shape;
  }
  Shape batch() const { return broadcast_shape(name, batch(a), batch(b)); }

  void infer() {
    check_real(name, "a", a);
    check_same_dtype(name, "b", b, a);
    check(a.shape().rank() >= 2, name, "a of two or more axes", a.tensor.text());
    check(b.shape().rank() >= 2, name, "b of two or more axes", b.tensor.text());
    check(b.shape()[transpose_b ? -1 : -2] == k(), name,
          std::string("b of shape ") + (transpose_b ? "[..., N, K]" : "[..., K, N]") +
              " with K = " + std::to_string(k()) + ", as in a " + a.tensor.text() + (transpose_a ? " transposed" : ""),
          b.tensor.text());
    Shape shape = batch();
    shape.push_back(m());
    shape.push_back(n());
    y.set(shape, a.dtype());
  }

  size_t workspace(DeviceKind) const;

  static std::vector<Matmul> cases(Draw& draw) {
    std::vector<Matmul> list;
    for (auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1}, {7, 13, 5}, {33, 65, 96}, {88, 7, 80}})
      for (int transposes = 0; transposes < 4; ++transposes) {
        const bool at = transposes & 1, bt = transposes & 2;
        list.push_back({draw.real(at ? Shape{k, m} : Shape{m, k}), draw.real(bt ? Shape{n, k} : Shape{k, n}), at, bt});
      }
    list.push_back({draw.real({3, 1, 4, 5}), draw.real({2, 5, 6})});
    list.push_back({draw.real({4, 5}), draw.real({3, 6, 5}), false, true});
    list.push_back({draw.real({2, 0, 5}), draw.real({5, 3})});
    list.push_back({draw.real({2, 3, 0}), draw.real({0, 4})});
    return list;
  }
};

}  // namespace videomae
