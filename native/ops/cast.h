// y = x as another dtype. To bf16: round to nearest, ties to even, NaN stays NaN. To integers: towards zero, clamped to
// what the dtype holds, NaN becomes 0. To bool: whether it differs from 0 (NaN does).
#pragma once

#include "ops/op.h"

namespace videomae {

/// The dtypes by name, in the order of DType.
inline Choice dtype_choice() { return {{"f64", "f32", "bf16", "u8", "i32", "bool"}}; }

struct Cast {
  static constexpr const char* name = "cast";
  In x;  // any dtype
  Choice dtype = dtype_choice();
  Out y;

  template <class V>
  void visit(V& v) {
    v("x", x), v("dtype", dtype), v("y", y);
  }

  void infer() { y.set(x.shape(), static_cast<DType>(dtype.value)); }

  size_t workspace(DeviceKind) const { return 0; }

  static std::vector<Cast> cases(Draw& draw) {
    std::vector<Cast> list;
    for (const Shape& shape : {Shape{}, Shape{3, 20011}})
      for (int dtype = 0; dtype < 6; ++dtype)
        for (const In& x : {draw.real(shape, -3e3, 3e3), draw.integers(shape, 1 << 20), draw.bytes(shape)}) {
          Cast op{x};
          op.dtype.value = dtype;
          list.push_back(op);
        }
    return list;
  }
};

}  // namespace videomae
