#include "cuda/agreement.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/convert.h"

namespace videomae::cuda {
namespace {

std::string text(double x) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.3g", x);
  return digits;
}

std::string element(int64_t i, double got, double expected) {
  return "element " + std::to_string(i) + " is " + text(got) + ", and " + text(expected) + " by the default";
}

/// @tparam T  as stored
template <class T>
Agreement compare_as(const T* a, const T* b, int64_t elements, bool real, bool coarse) {
  Agreement agreement;
  double squares = 0, differences = 0;
  for (int64_t i = 0; i < elements; ++i) {
    const double got = convert<double>(a[i]), expected = convert<double>(b[i]);
    if (!std::isfinite(got) || !std::isfinite(expected) || !real) {
      if (got == expected || (std::isnan(got) && std::isnan(expected))) continue;
      agreement.failure = element(i, got, expected);
      return agreement;
    }
    squares += expected * expected, differences += (got - expected) * (got - expected);
  }
  if (differences == 0) return agreement;
  const double size = std::sqrt(squares / static_cast<double>(elements));
  agreement.difference = std::sqrt(differences / squares);
  for (int64_t i = 0; i < elements; ++i) {
    const double got = convert<double>(a[i]), expected = convert<double>(b[i]);
    if (std::isfinite(got))
      agreement.largest = std::max(agreement.largest, std::abs(got - expected) / (std::abs(expected) + size));
  }
  const double most = coarse ? 0x1p-7 : 1e-4, most_of_one = coarse ? 0x1p-4 : 1e-3;
  if (!(agreement.difference <= most))
    agreement.failure = "relative difference " + text(agreement.difference) + ", where " + text(most) + " is allowed";
  else if (!(agreement.largest <= most_of_one))
    agreement.failure =
        "largest difference " + text(agreement.largest) + ", where " + text(most_of_one) + " is allowed";
  return agreement;
}

}  // namespace

void Agreement::join(const Agreement& other) {
  difference = std::max(difference, other.difference), largest = std::max(largest, other.largest);
  if (failure.empty()) failure = other.failure;
}

Agreement compare(const void* a, const void* b, int64_t elements, DType dtype, bool coarse) {
  const bool real = dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
  Agreement agreement;
  with_element(dtype, [&](auto t) {
    using T = decltype(t);
    agreement = compare_as(static_cast<const T*>(a), static_cast<const T*>(b), elements, real, coarse);
  });
  return agreement;
}

}  // namespace videomae::cuda
