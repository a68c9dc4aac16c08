// Elements of the tensor come to their swizzled places; elements outside are 0, or NaN where that is asked for.
#include "cuda/probe/tma_load.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_tma_load(Report& report) {
  for (const TmaCase& c : kTmaCases) {
    std::vector<int> memory(tma_box_elements(c) + kTmaGuard, kTmaPoison);
    for (int z = 0; z < c.box[2]; ++z) {
      for (int y = 0; y < c.box[1]; ++y) {
        for (int x = 0; x < c.box[0]; ++x) {
          const int source = tma_source(c, x, y, z);
          memory[tma_shared(c, x, y, z)] = source >= 0 ? source + 1 : c.nan_fill ? kTmaNan : 0;
        }
      }
    }
    write_tma_load(report, c, memory);
  }
}

}  // namespace videomae::probe
