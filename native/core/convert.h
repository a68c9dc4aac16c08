// Conversion between element types.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/bfloat16.h"

namespace videomae {

/// The float next to x towards zero with its last bit set when it is not x itself ("round to odd"): rounding that once
/// more to a shorter type gives what rounding x directly would.
VIDEOMAE_HOST_DEVICE inline float to_odd_float(double x) {
  const float f = static_cast<float>(x);
  if (static_cast<double>(f) == x || x != x) return f;
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  if ((f < 0 ? -static_cast<double>(f) : static_cast<double>(f)) > (x < 0 ? -x : x)) --bits;
  bits |= 1;
  float odd;
  std::memcpy(&odd, &bits, sizeof odd);
  return odd;
}

/// Tags the byte of a bool, which is stored as 0 or 1.
struct Boolean {
  uint8_t byte;
};

template <class To, class From>
VIDEOMAE_HOST_DEVICE To convert(From x) {
  if constexpr (std::is_same_v<From, To>) {
    return x;
  } else if constexpr (std::is_same_v<From, bf16>) {
    return convert<To>(to_float(x));
  } else if constexpr (std::is_same_v<From, Boolean>) {
    return convert<To>(x.byte);
  } else if constexpr (std::is_same_v<To, Boolean>) {
    return {static_cast<uint8_t>(x != 0)};
  } else if constexpr (std::is_same_v<To, bf16>) {
    if constexpr (std::is_same_v<From, float>)
      return to_bf16(x);
    else
      return to_bf16(to_odd_float(static_cast<double>(x)));
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(x);
  } else {
    constexpr bool byte = std::is_same_v<To, uint8_t>;
    constexpr double low = byte ? 0 : -2147483648.0, high = byte ? 255 : 2147483647.0;
    const double value = static_cast<double>(x);
    return value != value ? To{0} : static_cast<To>(value < low ? low : value > high ? high : value);
  }
}

/// An element in the type that is computed with: f32 for bf16, otherwise its own.
template <class T>
VIDEOMAE_HOST_DEVICE wide_t<T> widen(T x) {
  return convert<wide_t<T>>(x);
}

/// Calls body(T{}) with the C++ type that stores a dtype's elements.
template <class F>
void with_element(DType dtype, F&& body) {
  switch (dtype) {
    case DType::f64:
      return body(double{});
    case DType::f32:
      return body(float{});
    case DType::bf16:
      return body(bf16{});
    case DType::u8:
      return body(uint8_t{});
    case DType::i32:
      return body(int32_t{});
    default:
      return body(Boolean{});
  }
}

}  // namespace videomae
