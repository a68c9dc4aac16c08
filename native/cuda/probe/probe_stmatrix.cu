// One warp stores numbered registers; the memory is dumped.
#include "cuda/device/ldmatrix.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"
#include "cuda/probe/stmatrix.h"

namespace videomae::probe {

__global__ void stmatrix_forms(uint16_t* out) {  // (2, 32, 8)
  uint16_t* rows = shared_memory<uint16_t>();    // (32, 8)
  const int lane = threadIdx.x;
  uint32_t regs[4];
  for (int reg = 0; reg < 4; ++reg) {
    const uint32_t number = 64 * reg + 2 * lane;
    regs[reg] = number | (number + 1) << 16;
  }
  for (int form = 0; form < 2; ++form) {
    for (int i = 0; i < 8; ++i) rows[8 * lane + i] = 0xFFFF;
    block_sync();
    if (form == 0) cuda::stmatrix_x4(rows + 8 * stmatrix_row(lane), regs);
    if (form == 1) cuda::stmatrix_x4_transposed(rows + 8 * stmatrix_row(lane), regs);
    block_sync();
    for (int i = 0; i < 8; ++i) out[(form * 32 + lane) * 8 + i] = rows[8 * lane + i];
    block_sync();
  }
}

void observe_stmatrix(Report& report) {
  Buffer<uint16_t> out(2 * 32 * 8);
  launch(context, stmatrix_forms, {dim3(1), dim3(32), 32 * 8 * sizeof(uint16_t)}, out.data());
  finish("stmatrix_forms");
  const std::vector<uint16_t> memory = out.read();
  for (const bool transposed : {false, true}) {
    const auto first = memory.begin() + (transposed ? 256 : 0);
    write_stmatrix(report, transposed, std::vector<int>(first, first + 256));
  }
}

}  // namespace videomae::probe
