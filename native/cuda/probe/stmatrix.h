// stmatrix: where each number of the registers lands. Register i of lane l holds the numbers 64 i + 2 l and
// 64 i + 2 l + 1; lane l gives the address of row stmatrix_row(l) of 8 numbers.
#pragma once

#include <vector>

#include "cuda/device/host_device.h"
#include "cuda/probe/report.h"

namespace videomae::probe {

VIDEOMAE_HOST_DEVICE constexpr int stmatrix_row(int lane) { return (lane * 11 + 3) % 32; }

/// @param landed  (32, 8)
inline void write_stmatrix(Report& report, bool transposed, const std::vector<int>& landed) {
  report.table(transposed ? "stmatrix.x4.trans, a row of memory a line" : "stmatrix.x4, a row of memory a line", landed,
               8);
}

}  // namespace videomae::probe
