// The second stage of a sum over columns: partial sums of blocks of rows are added in the order of the blocks.
#pragma once

#include <algorithm>
#include <cstdint>

namespace videomae::cpu {

/// y = the sum of `rows` rows of n numbers, `distance` apart; with `accumulate`, y += that sum, once it is finished.
template <class W>
void add_up_rows(int64_t rows, int64_t n, const W* x, int64_t distance, W* y, bool accumulate) {
  constexpr int64_t run = 64;  // columns whose sums stay in registers
  for (int64_t from = 0; from < n; from += run) {
    const int64_t count = std::min(run, n - from);
    W sums[run] = {};
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t j = 0; j < count; ++j) sums[j] += x[row * distance + from + j];
    for (int64_t j = 0; j < count; ++j) y[from + j] = accumulate ? y[from + j] + sums[j] : sums[j];
  }
}

}  // namespace videomae::cpu
