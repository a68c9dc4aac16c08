// stmatrix is ldmatrix backwards: the same lanes give the addresses, the same registers hold the elements.
#include "cuda/probe/stmatrix.h"

#include "cuda/device/mma_layout.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_stmatrix(Report& report) {
  for (const bool transposed : {false, true}) {
    std::vector<int> landed(32 * 8, kNothing);
    for (int reg = 0; reg < 4; ++reg) {
      for (int lane = 0; lane < 32; ++lane) {
        for (int half = 0; half < 2; ++half) {
          const cuda::Place place = cuda::ldmatrix_place(lane, half, transposed);
          landed[stmatrix_row(cuda::ldmatrix_address_lane(reg, place.row)) * 8 + place.col] =
              64 * reg + 2 * lane + half;
        }
      }
    }
    write_stmatrix(report, transposed, landed);
  }
}

}  // namespace videomae::probe
