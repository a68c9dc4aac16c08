// Sums along contiguous memory.
#pragma once

#include <cstdint>

namespace videomae::cpu {

/// The sum of f(i) for i in [0, n): sixteen running sums, so that it vectorises and the order is fixed.
template <class T, class F>
T lane_sum(int64_t n, F f) {
  T lanes[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; ++j) lanes[j] += f(i + j);
  for (; i < n; ++i) lanes[i % 16] += f(i);
  for (int width = 8; width > 0; width /= 2)
    for (int j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  return lanes[0];
}

}  // namespace videomae::cpu
