// Element types: names, sizes, and the mapping from C++ types.
#pragma once

#include <cstddef>
#include <cstdint>

namespace videomae {

enum class DType : uint8_t { f64, f32, bf16, u8, i32, boolean };

/// A bfloat16 as it is stored: the upper half of a float's bits.
struct bf16 {
  uint16_t bits;
};

constexpr size_t size_of(DType t) {
  switch (t) {
    case DType::f64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
      return 2;
    default:
      return 1;
  }
}

constexpr const char* name_of(DType t) {
  switch (t) {
    case DType::f64:
      return "f64";
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::u8:
      return "u8";
    case DType::i32:
      return "i32";
    default:
      return "bool";
  }
}

/// The dtype in which numbers of a real dtype are computed, and in which statistics, losses, parameters that are not
/// matrices and gradients of parameters are kept: f64 for f64, f32 for f32 and bf16.
constexpr DType wide_of(DType t) { return t == DType::f64 ? DType::f64 : DType::f32; }

template <class T>
struct Wide {
  using type = T;
};
template <>
struct Wide<bf16> {
  using type = float;
};
template <class T>
using wide_t = typename Wide<T>::type;

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<bf16>() {
  return DType::bf16;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::u8;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::i32;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::boolean;
}

}  // namespace videomae
