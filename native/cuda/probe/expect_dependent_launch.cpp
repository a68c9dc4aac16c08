// Behind the wait everything is there; without the attribute nothing begins early.
#include "cuda/probe/dependent_launch.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_dependent_launch(Report& report) {
  write_dependent_launch(report, true, 0, 0);
  write_dependent_launch(report, false, 0, 0);
}

}  // namespace videomae::probe
