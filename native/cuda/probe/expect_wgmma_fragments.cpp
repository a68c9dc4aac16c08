// Place (m, k) of A meets (n, k) of B at (m, n) of D.
#include "cuda/probe/wgmma_fragments.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {
namespace {

std::vector<int> met(int n_size) {
  std::vector<int> met(static_cast<size_t>(kWgmmaA) * 64 * n_size, kNothing);
  const cuda::WgmmaTile tile = fragment_tile(n_size);
  for (int m = 0; m < 64; ++m) {
    for (int k = 0; k < 16; ++k) {
      const cuda::Slot a = cuda::wgmma_a_slot({m, k});
      for (int n = 0; n < n_size; ++n) {
        const cuda::Slot d = cuda::wgmma_d_slot({m, n});
        met[static_cast<size_t>(number_of(128, a.lane, a.reg, a.half)) * 64 * n_size +
            number_of(128, d.lane, d.reg / 2, d.reg % 2)] = static_cast<int>(tile.offset(n, k) / 2);
      }
    }
  }
  return met;
}

}  // namespace

void expect_wgmma_fragments(Report& report) {
  write_wgmma_structure(report, met(8));
  write_wgmma_d(report, met(64));
}

}  // namespace videomae::probe
