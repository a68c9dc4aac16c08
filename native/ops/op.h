// What an op is made of. An op is a plain struct: its operands and attributes, a visit() that names them once, an
// infer() that checks the inputs and describes the outputs (the one authority on shapes: the TypeScript side repeats
// none of it), the scratch memory it needs, and the cases it is tested with.
//
//   struct Scale {                                       // y = factor * x
//     static constexpr const char* name = "scale";
//     In x;  Out y;  double factor = 1;
//     template <class V> void visit(V& v) { v("x", x); v("factor", factor); v("y", y); }
//     void infer() { check_real(name, "x", x); y.like(x); }
//     size_t workspace(DeviceKind) const { return 0; }
//     static std::vector<Scale> cases(Draw& draw);
//   };
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/bfloat16.h"
#include "core/error.h"
#include "core/philox.h"
#include "core/tensor.h"

namespace videomae {

/// A tensor that the op reads.
struct In {
  Tensor tensor;
  const Shape& shape() const { return tensor.shape(); }
  DType dtype() const { return tensor.dtype(); }
  int64_t elements() const { return tensor.elements(); }
  template <class T>
  const T* data() const {
    return static_cast<const T*>(tensor.data());
  }
};

/// A tensor that the op reads when it is given.
struct OptionalIn : In {
  bool given() const { return tensor.defined(); }
  template <class T>
  const T* data() const {
    return given() ? In::data<T>() : nullptr;
  }
};

/// Any number of tensors that the op reads.
struct InList {
  std::vector<Tensor> tensors;
};

/// A tensor that the op changes in place.
struct InOut : In {
  template <class T>
  T* data() const {
    return tensor.data<T>();
  }
};

/// A tensor that the op makes; infer() describes it.
struct Out {
  Tensor tensor;
  Shape shape;
  DType dtype = DType::f32;

  void set(const Shape& s, DType t) { shape = s, dtype = t; }
  void like(const In& x) { set(x.shape(), x.dtype()); }
  template <class T>
  T* data() const {
    return tensor.data<T>();
  }
};

/// An output that the caller may do without. Unwanted, it is not allocated, and its data is null.
struct OptionalOut : Out {
  bool wanted = true;
  template <class T>
  T* data() const {
    return wanted ? tensor.data<T>() : nullptr;
  }
};

/// An optional output that may be added to a tensor of the caller's, instead of being made: the gradient of a
/// parameter. Its sum is finished, in the wide type, before it is added. What it is added to must be no other operand.
struct AddedOut : OptionalOut {
  bool adds = false;  // to what `tensor` holds

  /// Adds it to y.
  void add_to(const Tensor& y) { tensor = y, adds = true; }
};

/// A choice by name: `kind.value` is the index of the chosen word in `words`.
struct Choice {
  std::vector<const char*> words;
  int value = 0;
};

using Integers = std::vector<int64_t>;

// ---- checks for infer(): each throws Error naming the op and the operand ----

inline void check(bool ok, const char* op, const std::string& expected, const std::string& got,
                  const std::string& hint = "") {
  if (!ok) throw Error(op, expected, got, hint);
}

inline void check_dtype(const char* op, const char* operand, const In& x, std::initializer_list<DType> allowed) {
  for (DType t : allowed)
    if (x.dtype() == t) return;
  std::string names;
  for (const DType* t = allowed.begin(); t != allowed.end(); ++t)
    names += (t == allowed.begin() ? "" : t + 1 == allowed.end() ? " or " : ", ") + std::string(name_of(*t));
  throw Error(op, std::string(operand) + " of dtype " + names, x.tensor.text(), "convert it with cast()");
}

/// The dtypes that activations and matrices have.
inline void check_real(const char* op, const char* operand, const In& x) {
  check_dtype(op, operand, x, {DType::f32, DType::f64, DType::bf16});
}

/// The dtypes in which numbers are computed.
inline void check_wide(const char* op, const char* operand, const In& x) {
  check_dtype(op, operand, x, {DType::f32, DType::f64});
}

/// That x has the dtype in which numbers of `like` are computed.
inline void check_wide_of(const char* op, const char* operand, const In& x, const In& like) {
  check_dtype(op, operand, x, {wide_of(like.dtype())});
}

/// That x has the dtype of `like`.
inline void check_same_dtype(const char* op, const char* operand, const In& x, const In& like) {
  check(x.dtype() == like.dtype(), op, std::string(operand) + " of dtype " + name_of(like.dtype()), x.tensor.text(),
        "convert it with cast()");
}

inline void check_shape(const char* op, const char* operand, const In& x, const Shape& expected,
                        const std::string& hint = "") {
  check(x.shape() == expected, op, std::string(operand) + " of shape " + expected.text(), x.tensor.text(), hint);
}

inline void check_rank(const char* op, const char* operand, const In& x, int rank, const char* axes) {
  check(x.shape().rank() == rank, op, std::string(operand) + " of shape " + axes, x.tensor.text());
}

/// That every element of an i32 index is in [0, limit). Index tensors are small; a wild index must not reach a kernel
/// of the CPU. Those of other devices look at each index themselves, and report it (Context::fault).
inline void check_indices(const char* op, const char* operand, const In& index, int64_t limit) {
  if (rehearsing() || !index.tensor.device().is_cpu()) return;  // there are no values to be seen
  const int32_t* values = index.data<int32_t>();
  for (int64_t i = 0, n = index.elements(); i < n; ++i)
    check(values[i] >= 0 && values[i] < limit, op,
          std::string(operand) + " with values from 0 to " + std::to_string(limit - 1),
          std::to_string(values[i]) + " at element " + std::to_string(i));
}

/// Makes test operands: the same values at every dtype.
class Draw {
 public:
  /// @param exact  the dtype in which real() is exact: f64 operands of exact bf16 are those of a bf16 op, widened
  Draw(DType real, uint32_t seed, DType exact) : real_(real), exact_(exact), seed_(seed) {}
  Draw(DType real, uint32_t seed) : Draw(real, seed, real) {}

  DType real() const { return real_; }

  /// Uniform in [low, high), of the real dtype under test.
  In real(const Shape& shape, double low = -1.7, double high = 1.7) { return numbers(shape, real_, exact_, low, high); }

  /// Uniform in [low, high), of the dtype in which that one is computed; exact in f32.
  In wide(const Shape& shape, double low = -1.7, double high = 1.7) {
    return numbers(shape, wide_of(real_), DType::f32, low, high);
  }

  /// Uniform integers in [0, limit).
  In integers(const Shape& shape, int64_t limit) {
    In in{Tensor::empty(shape, DType::i32)};
    const PhiloxKey key{seed_, stream_++};
    for (int64_t i = 0, n = in.elements(); i < n; ++i)
      in.tensor.data<int32_t>()[i] = static_cast<int32_t>(philox_uniform(key, i) * limit);
    return in;
  }

  /// Ascending distinct indices below `limit` in every row of (B, count): every (limit / count)-th, shifted by row.
  In ascending(int64_t rows, int64_t count, int64_t limit) {
    In in{Tensor::empty({rows, count}, DType::i32)};
    for (int64_t b = 0; b < rows; ++b)
      for (int64_t i = 0; i < count; ++i)
        in.tensor.data<int32_t>()[b * count + i] = static_cast<int32_t>((i * limit + b % limit) / count);
    return in;
  }

  /// The key of a training step: seed, update, micro-step.
  static In step_key() {
    In in{Tensor::empty({3}, DType::f64)};
    const double key[] = {5e9, 70000, 3};
    std::copy(key, key + 3, in.tensor.data<double>());
    return in;
  }

  In bytes(const Shape& shape) {
    In in{Tensor::empty(shape, DType::u8)};
    const PhiloxKey key{seed_, stream_++};
    for (int64_t i = 0, n = in.elements(); i < n; ++i)
      in.tensor.data<uint8_t>()[i] = static_cast<uint8_t>(philox_uniform(key, i) * 256);
    return in;
  }

 private:
  In numbers(const Shape& shape, DType dtype, DType exact, double low, double high) {
    In in{Tensor::empty(shape, dtype)};
    const PhiloxKey key{seed_, stream_++};
    for (int64_t i = 0, n = in.elements(); i < n; ++i) {
      float v = static_cast<float>(low + (high - low) * philox_uniform(key, i));  // exact in f32 and f64
      if (exact == DType::bf16) v = to_float(to_bf16(v));
      if (dtype == DType::f64)
        in.tensor.data<double>()[i] = v;
      else if (dtype == DType::f32)
        in.tensor.data<float>()[i] = v;
      else
        in.tensor.data<bf16>()[i] = to_bf16(v);
    }
    return in;
  }

  DType real_, exact_;
  uint32_t seed_, stream_ = 0;
};

}  // namespace videomae
