// The outer loop of kernels that work along the last axis, and what they need of a row.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "cpu/lane_sum.h"

namespace videomae::cpu {

/// Calls body(row) for every row of a tensor whose rows are `width` wide, in pieces of about 64 KiB.
template <class F>
void for_rows(int64_t rows, int64_t width, F&& body) {
  const int64_t piece = rows_per_piece(width);
  parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
    for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); ++r) body(r);
  });
}

/// The largest element; a NaN among others may be passed over.
template <class T>
wide_t<T> row_maximum(const T* x, int64_t width) {
  wide_t<T> most = widen(x[0]);
  for (int64_t i = 1; i < width; ++i) most = widen(x[i]) > most ? widen(x[i]) : most;
  return most;
}

/// The sum of exp(x - shift). NaN when any element is.
template <class T>
wide_t<T> sum_of_exponentials(const T* x, int64_t width, wide_t<T> shift) {
  return lane_sum<wide_t<T>>(width, [=](int64_t i) { return std::exp(widen(x[i]) - shift); });
}

}  // namespace videomae::cpu
