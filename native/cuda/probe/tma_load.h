// Tile loads: the shared memory that each leaves, as elements.
#pragma once

#include <vector>

#include "cuda/probe/report.h"
#include "cuda/probe/tma_cases.h"

namespace videomae::probe {

/// Elements behind the box that must stay as they were.
constexpr int kTmaGuard = 64;

/// @param memory  the box and the guard
inline void write_tma_load(Report& report, const TmaCase& c, const std::vector<int>& memory) {
  const int box = tma_box_elements(c);
  report.table(tma_title("load", c), std::vector<int>(memory.begin(), memory.begin() + box), c.box[0]);
  report.table("behind the box", std::vector<int>(memory.begin() + box, memory.end()), kTmaGuard);
}

}  // namespace videomae::probe
