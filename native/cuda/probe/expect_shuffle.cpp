// A lane beyond the last is not heard: the lane keeps its own value.
#include "cuda/probe/shuffle.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_shuffle(Report& report) {
  for (int form = 0; form < kShuffleForms; ++form) {
    std::vector<int> heard;
    for (const int argument : kShuffleArgument) {
      for (int lane = 0; lane < 32; ++lane) {
        const int from = form == kFromLane ? argument : form == kXor ? lane ^ argument : lane + argument;
        heard.push_back(from < 32 ? from : lane);
      }
    }
    write_shuffle(report, form, heard);
  }
}

}  // namespace videomae::probe
