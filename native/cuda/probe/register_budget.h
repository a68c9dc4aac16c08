// setmaxnreg: one warpgroup gives registers back, two take more and keep kBudgetValues values alive each, which is more
// than the kernel has at entry. The sums show whether a register was lost.
#pragma once

#include <vector>

#include "cuda/probe/report.h"

namespace videomae::probe {

constexpr int kBudgetThreads = 384;  // 65536 registers / 384 threads: 168 at entry
constexpr int kBudgetLow = 24, kBudgetHigh = 240;
constexpr int kBudgetAtEntry = 168;
constexpr int kBudgetValues = 200;

/// The integer that a thread loads as value i.
constexpr int budget_input(int thread, int i) { return (thread * 31 + i * 17) % 251; }

/// What it makes of them, behind a barrier that all are alive at.
constexpr int budget_sum(int thread) {
  int sum = 0;
  for (int i = 0; i < kBudgetValues; ++i) {
    sum += (budget_input(thread, i) ^ budget_input(thread, kBudgetValues - 1)) * (i + 1);
  }
  return sum;
}

/// @param sums  of all threads; a giving thread says its number
inline void write_register_budget(Report& report, int at_entry, const std::vector<int>& sums) {
  report.line("registers a thread at entry: %d; one warpgroup goes down to %d, two up to %d", at_entry, kBudgetLow,
              kBudgetHigh);
  report.table("sums, a row a warp", sums, 32);
}

}  // namespace videomae::probe
