// Named barriers: what a consumer reads that its producers wrote before they arrived, on every barrier number and with
// several counts of arrivals.
#pragma once

#include <vector>

#include "cuda/probe/report.h"

namespace videomae::probe {

constexpr int kNamedBarrierRounds = 50;
/// Warps that only arrive; one more syncs.
constexpr int kNamedBarrierProducers[] = {1, 2, 3, 7};

/// What the consumer sums up over all rounds: producer lane l of warp w writes round * 1000 + w * 32 + l.
constexpr int named_barrier_sum(int producers) {
  int sum = 0;
  for (int round = 0; round < kNamedBarrierRounds; ++round) {
    for (int i = 0; i < producers * 32; ++i) sum += round * 1000 + i;
  }
  return sum;
}

/// @param sums  of barriers 1 to 15
inline void write_named_barrier(Report& report, int producers, const std::vector<int>& sums) {
  report.table("sums over " + std::to_string(kNamedBarrierRounds) + " rounds, barriers 1 to 15, " +
                   std::to_string(producers) + " warps arrive and 1 syncs",
               sums, 15);
}

/// @param seen  1 when the arriving warp went on and its later write was seen
inline void write_arrive_goes_on(Report& report, int seen) {
  report.line("a warp that arrives goes on before the barrier is complete: %s", seen ? "yes" : "no");
}

}  // namespace videomae::probe
