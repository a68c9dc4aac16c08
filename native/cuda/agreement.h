// Whether two kernels computed the same, as far as rounding explains: a result against that of the kernel which is the
// default, both copied to the host.
//
//   difference   root mean square of a - b, as a part of that of b: at most 2^-7 where numbers were rounded to bf16 on
//                the way, which are two roundings of either, and 10^-4 where they are f32
//   largest      the largest |a - b| / (|b| + root mean square of b): at most 2^-4, or 10^-3
//   NaN, infinities and integers are the same in both
#pragma once

#include <string>

#include "core/dtype.h"

namespace videomae::cuda {

struct Agreement {
  double difference = 0, largest = 0;
  std::string failure;  // why they do not agree; empty where they do

  /// Takes over what is worse.
  void join(const Agreement& other);
};

/// @param a, b  elements of a dtype, b those of the default  @param coarse  whether numbers were rounded to bf16
Agreement compare(const void* a, const void* b, int64_t elements, DType dtype, bool coarse);

}  // namespace videomae::cuda
