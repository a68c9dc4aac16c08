// The sums of integers, whatever the order.
#include "cuda/probe/bulk_reduce.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_bulk_reduce(Report& report) {
  std::vector<int> sums(kReduceTotal, kReduceStart);
  for (int block = 0; block < kReduceBlocks; ++block) {
    for (int i = 0; i < kReduceCount; ++i) sums[block * kReduceShift + i] += reduce_value(block, i);
  }
  write_bulk_reduce(report, "f32", sums);
  write_bulk_reduce(report, "bf16", sums);
}

}  // namespace videomae::probe
