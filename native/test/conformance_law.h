// What it means that an op is right: its results against those of the CPU's f64 kernel on the same values.
//
//   f32   relative L2 error <= 2e-5, or the op's stated `tolerance`
//   bf16  relative L2 error <= 2 * naive + that tolerance, where naive is the error of rounding the f64 result to the
//         result's dtype; at least 2^-9 for each rounding on the way of an op's straightforward bf16 form, which its
//         header declares as `naive_intermediates`
//   NaN   where and only where the f64 result has one; infinities where it has one, perhaps as NaN
//
// A bf16 result of an op whose f64 form gives bf16 too may be the neighbouring number in one element of a thousand:
// what is rounded differs in its last bits.
#pragma once

#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "core/convert.h"
#include "ops/op.h"

namespace videomae::test {

/// An op may declare `static constexpr double tolerance` and `static constexpr int naive_intermediates`, how often an
/// element is rounded on the way.
template <class Op, class = void>
struct ToleranceOf {
  static constexpr double value = 2e-5;
};
template <class Op>
struct ToleranceOf<Op, std::void_t<decltype(Op::tolerance)>> {
  static constexpr double value = Op::tolerance;
};
template <class Op, class = void>
struct RoundsOnTheWay {
  static constexpr int value = 0;
};
template <class Op>
struct RoundsOnTheWay<Op, std::void_t<decltype(Op::naive_intermediates)>> {
  static constexpr int value = Op::naive_intermediates;
};

/// What an op left in one tensor.
struct Result {
  std::string field;
  Shape shape;
  DType dtype;
  std::vector<char> bytes;

  double at(int64_t i) const {
    double value = 0;
    with_element(dtype, [&](auto t) {
      decltype(t) element;
      std::memcpy(&element, bytes.data() + static_cast<size_t>(i) * sizeof element, sizeof element);
      value = convert<double>(element);
    });
    return value;
  }
  bool is_real() const { return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::bf16; }
};

/// x as the nearest number of a real dtype.
inline double rounded(double x, DType dtype) {
  if (dtype == DType::bf16) return to_float(convert<bf16>(x));
  return dtype == DType::f32 ? static_cast<float>(x) : x;
}

inline std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", x);
  return text;
}

/// How a result compares with the f64 one.
struct Verdict {
  std::string failure;  // empty when the law holds
  double share = 0;     // of the allowed error that was used
};

template <class Op>
Verdict judge(const Result& got, const Result& wide, DType real) {
  if (got.shape != wide.shape) return {"is " + got.shape.text() + ", and " + wide.shape.text() + " in f64"};
  const bool both_round = got.dtype == DType::bf16 && wide.dtype == DType::bf16;
  double difference = 0, rounding = 0, norm = 0;
  int64_t neighbours = 0;
  for (int64_t i = 0, n = got.shape.elements(); i < n; ++i) {
    const double a = got.at(i), b = wide.at(i);
    const bool same_kind = std::isnan(b) ? std::isnan(a) : std::isinf(b) ? !std::isfinite(a) : std::isfinite(a);
    if (!same_kind || (!got.is_real() && a != b))
      return {"element " + std::to_string(i) + " is " + number(a) + ", and " + number(b) + " in f64"};
    if (!std::isfinite(b)) continue;
    if (both_round && a != b && std::abs(a - b) <= std::abs(b) / 128 && ++neighbours <= n / 1000) continue;
    const double nearest = rounded(b, got.dtype);
    difference += (a - b) * (a - b), rounding += (nearest - b) * (nearest - b), norm += b * b;
  }
  if (difference == 0) return {};
  const double error = std::sqrt(difference / norm), least = RoundsOnTheWay<Op>::value / 512.0;
  const double naive = real == DType::bf16 ? std::max(std::sqrt(rounding / norm), least) : 0;
  const double limit = 2 * naive + ToleranceOf<Op>::value;
  if (error <= limit) return {"", error / limit};
  return {"relative error " + number(error) + " against f64, where " + number(limit) + " is allowed"};
}

}  // namespace videomae::test
