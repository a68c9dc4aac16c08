// Register i of ldmatrix holds the matrix whose rows lanes 8 i .. 8 i + 7 point to.
#include "cuda/device/mma_layout.h"
#include "cuda/probe/ldmatrix.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {

void expect_ldmatrix(Report& report) {
  for (int form = 0; form < kLdmatrixForms; ++form) {
    const bool transposed = form == kX2Transposed || form == kX4Transposed;
    std::vector<int> arrived;
    for (int reg = 0; reg < ldmatrix_count(form); ++reg) {
      for (int lane = 0; lane < 32; ++lane) {
        for (int half = 0; half < 2; ++half) {
          const cuda::Place place = cuda::ldmatrix_place(lane, half, transposed);
          arrived.push_back(8 * cuda::ldmatrix_address_lane(reg, place.row) + place.col);
        }
      }
    }
    write_ldmatrix(report, form, arrived);
  }
}

}  // namespace videomae::probe
