// The entry count is what the launch bounds leave a thread, rounded down to a multiple of 8.
#include "cuda/probe/register_budget.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_register_budget(Report& report) {
  std::vector<int> sums(kBudgetThreads);
  for (int thread = 0; thread < kBudgetThreads; ++thread) sums[thread] = thread < 128 ? thread : budget_sum(thread);
  write_register_budget(report, kBudgetAtEntry, sums);
}

}  // namespace videomae::probe
