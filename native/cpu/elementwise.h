// The outer loop of element-wise kernels: ranges of fixed length, handed to the thread pool.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/convert.h"
#include "core/tensor.h"
#include "core/thread_pool.h"

namespace videomae::cpu {

/// Calls body(from, until) for consecutive ranges that cover [0, count). Small tensors are one range, run in place.
template <class F>
void for_elements(int64_t count, F&& body) {
  constexpr int64_t range = 32768;
  parallel_for((count + range - 1) / range, [&](int64_t p) { body(p * range, std::min(count, (p + 1) * range)); });
}

/// y[i] = x[i], converted.
template <class From, class To>
void convert_elements(const Tensor& x, const Tensor& y) {
  const From* from = x.data<From>();
  To* to = y.data<To>();
  for_elements(x.elements(), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = convert<To>(from[i]);
  });
}

}  // namespace videomae::cpu
