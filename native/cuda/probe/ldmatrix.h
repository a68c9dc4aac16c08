// ldmatrix: which element of which lane's row arrives where. Shared memory holds 32 rows of 8 numbers; lane l gives
// the address of row ldmatrix_row(l), so that rows come in no order. An arriving number is told as
// 8 * (lane that gave the address) + place in its row.
#pragma once

#include <vector>

#include "cuda/device/host_device.h"
#include "cuda/probe/report.h"

namespace videomae::probe {

VIDEOMAE_HOST_DEVICE constexpr int ldmatrix_row(int lane) { return (lane * 13 + 5) % 32; }

/// The forms of ldmatrix that have wrappers.
enum LdmatrixForm { kX2, kX2Transposed, kX4, kX4Transposed, kLdmatrixForms };
constexpr const char* kLdmatrixNames[] = {"x2", "x2.trans", "x4", "x4.trans"};
constexpr int ldmatrix_count(int form) { return form < kX4 ? 2 : 4; }

/// @param arrived  for each form, register, lane, half
inline void write_ldmatrix(Report& report, int form, const std::vector<int>& arrived) {
  report.table(std::string("ldmatrix.") + kLdmatrixNames[form] + ", a row a register, 32 lanes of 2 halves", arrived,
               64);
}

}  // namespace videomae::probe
