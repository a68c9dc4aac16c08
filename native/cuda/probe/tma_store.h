// Tile stores: the global memory that each leaves, what lies between rows and behind the tensor included. Element i of
// shared memory holds i + 1.
#pragma once

#include <vector>

#include "cuda/probe/report.h"
#include "cuda/probe/tma_cases.h"

namespace videomae::probe {

/// @param memory  all tma_elements(c)
inline void write_tma_store(Report& report, const TmaCase& c, const std::vector<int>& memory) {
  const size_t row = c.pitch[0], whole = memory.size() / row * row;
  report.table(tma_title("store", c), std::vector<int>(memory.begin(), memory.begin() + whole), row);
  if (memory.size() > whole) {
    report.table("the rest", std::vector<int>(memory.begin() + whole, memory.end()), memory.size() - whole);
  }
}

}  // namespace videomae::probe
