// Bulk reduce-add: many blocks add overlapping stretches of small integers to global memory.
#pragma once

#include <vector>

#include "cuda/probe/report.h"

namespace videomae::probe {

constexpr int kReduceBlocks = 32, kReduceCount = 64, kReduceShift = 8;  // elements; 8 bf16 are 16 bytes
constexpr int kReduceTotal = (kReduceBlocks - 1) * kReduceShift + kReduceCount + 16;

/// What block b adds at element b * kReduceShift + i; sums stay below 256 and are exact in bf16.
constexpr int reduce_value(int block, int i) { return (block * 5 + i * 3) % 29; }

/// @param sums  kReduceTotal elements, which held `start` before
inline void write_bulk_reduce(Report& report, const char* type, const std::vector<int>& sums) {
  report.table(std::string("sums of ") + type, sums, kReduceShift);
}

constexpr int kReduceStart = 3;

}  // namespace videomae::probe
