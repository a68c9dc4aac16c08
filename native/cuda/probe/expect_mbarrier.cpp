// An mbarrier as the documentation describes it: a phase ends when no arrival and no byte is missing; the wait for a
// parity is over when the phase in progress has the other one.
#include "cuda/probe/mbarrier.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {
namespace {

struct Model {
  int count = 0, missing = 0, bytes = 0, phase = 0;

  void settle() {
    if (missing == 0 && bytes == 0) ++phase, missing = count;
  }

  void step(const MbarrierStep& step) {
    switch (step.act) {
      case MbarrierAct::init:
        *this = {step.argument, step.argument, 0, 0};
        return;
      case MbarrierAct::arrive:
        for (int i = 0; i < step.argument; ++i) --missing, settle();
        return;
      case MbarrierAct::expect:
        bytes += step.argument;
        return;
      case MbarrierAct::arrive_expect:
        bytes += step.argument, --missing;
        return settle();
      case MbarrierAct::copy:
        bytes -= step.argument;
        return settle();
      case MbarrierAct::wait:
        return;
    }
  }

  bool over(int parity) const { return phase % 2 != parity; }
};

}  // namespace

void expect_mbarrier(Report& report) {
  Model model;
  std::vector<int> over;
  for (const MbarrierStep& step : kMbarrierScript) {
    model.step(step);
    over.push_back((model.over(0) ? 5 : 0) | (model.over(1) ? 10 : 0));
  }
  write_mbarrier(report, over, 0, 0);
}

}  // namespace videomae::probe
