// One warp loads the same rows with every form of ldmatrix.
#include "cuda/device/ldmatrix.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/ldmatrix.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {

__global__ void ldmatrix_forms(uint32_t* out) {  // (kLdmatrixForms, 4, 32)
  uint16_t* rows = shared_memory<uint16_t>();    // (32, 8)
  const int lane = threadIdx.x;
  const int row = ldmatrix_row(lane);
  for (int i = 0; i < 8; ++i) rows[8 * row + i] = static_cast<uint16_t>(8 * lane + i);
  block_sync();
  uint32_t two[2], four[4];
  const auto keep = [&](int form, const uint32_t* regs, int count) {
    for (int reg = 0; reg < count; ++reg) out[(form * 4 + reg) * 32 + lane] = regs[reg];
  };
  cuda::ldmatrix_x2(two, rows + 8 * row);
  keep(kX2, two, 2);
  cuda::ldmatrix_x2_transposed(two, rows + 8 * row);
  keep(kX2Transposed, two, 2);
  cuda::ldmatrix_x4(four, rows + 8 * row);
  keep(kX4, four, 4);
  cuda::ldmatrix_x4_transposed(four, rows + 8 * row);
  keep(kX4Transposed, four, 4);
}

void observe_ldmatrix(Report& report) {
  Buffer<uint32_t> out(kLdmatrixForms * 4 * 32, 0xFF);
  launch(context, ldmatrix_forms, {dim3(1), dim3(32), 32 * 8 * sizeof(uint16_t)}, out.data());
  finish("ldmatrix_forms");
  const std::vector<uint32_t> registers = out.read();
  for (int form = 0; form < kLdmatrixForms; ++form) {
    std::vector<int> arrived;
    for (int i = 0; i < ldmatrix_count(form) * 32; ++i) {
      const uint32_t value = registers[form * 128 + i];
      arrived.push_back(value & 0xFFFF), arrived.push_back(value >> 16);
    }
    write_ldmatrix(report, form, arrived);
  }
}

}  // namespace videomae::probe
