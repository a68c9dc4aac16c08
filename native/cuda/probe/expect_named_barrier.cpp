// Every barrier orders what was written before arriving with what is read after syncing, and arriving does not wait.
#include "cuda/probe/named_barrier.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_named_barrier(Report& report) {
  for (const int producers : kNamedBarrierProducers) {
    write_named_barrier(report, producers, std::vector<int>(15, named_barrier_sum(producers)));
  }
  write_arrive_goes_on(report, 1);
}

}  // namespace videomae::probe
