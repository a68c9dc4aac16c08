// Elements inside the tensor are written from their swizzled places in shared memory; nothing else changes.
#include "cuda/probe/tma_store.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_tma_store(Report& report) {
  for (const TmaCase& c : kTmaCases) {
    if (c.nan_fill) continue;  // the fill says nothing about stores
    std::vector<int> memory(tma_elements(c), kTmaPoison);
    for (int z = 0; z < c.box[2]; ++z) {
      for (int y = 0; y < c.box[1]; ++y) {
        for (int x = 0; x < c.box[0]; ++x) {
          const int target = tma_source(c, x, y, z);
          if (target >= 0) memory[target] = tma_shared(c, x, y, z) + 1;
        }
      }
    }
    write_tma_store(report, c, memory);
  }
}

}  // namespace videomae::probe
