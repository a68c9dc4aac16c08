// What mma.sync should do, from its fragments alone: place (m, k) of A meets (k, n) of B at (m, n) of D.
#include "cuda/device/mma_layout.h"
#include "cuda/probe/mma_sync.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_mma_sync(Report& report) {
  MmaStructure structure;
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 8; ++n) {
      const cuda::Slot d = cuda::mma_d_slot({m, n});
      const int d_number = number_of(32, d.lane, d.reg / 2, d.reg % 2);
      structure.added[d_number] = d_number;
      for (int k = 0; k < 16; ++k) {
        const cuda::Slot a = cuda::mma_a_slot({m, k}), b = cuda::mma_b_slot({k, n});
        structure.met[number_of(32, a.lane, a.reg, a.half) * kMmaD + d_number] = number_of(32, b.lane, b.reg, b.half);
      }
    }
  }
  write(report, structure);
}

}  // namespace videomae::probe
