// Block i multiplies the A whose place i alone is 1 by a B of codes. One block more: A is 0, C holds codes.
#include "cuda/device/mma_sync.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/mma_sync.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {

__global__ void mma_sync_one_hot(float* d_out) {  // (kMmaA + 1, kMmaD)
  const int lane = threadIdx.x, hot = blockIdx.x;
  uint32_t a[4], b[2];
  for (int reg = 0; reg < 4; ++reg) {
    const int place = number_of(32, lane, reg, 0);
    a[reg] = hot == place ? kOne : hot == place + 1 ? static_cast<uint32_t>(kOne) << 16 : 0;
  }
  for (int reg = 0; reg < 2; ++reg) {
    const int place = number_of(32, lane, reg, 0);
    b[reg] = code_bits(place) | static_cast<uint32_t>(code_bits(place + 1)) << 16;
  }
  float c[4] = {}, d[4];
  for (int reg = 0; reg < 4; ++reg) {
    const int place = number_of(32, lane, reg / 2, reg % 2);
    if (hot == kMmaA) c[reg] = __uint_as_float(static_cast<uint32_t>(code_bits(place)) << 16);
  }
  cuda::mma_m16n8k16(d, a, b, c);
  for (int reg = 0; reg < 4; ++reg) d_out[hot * kMmaD + number_of(32, lane, reg / 2, reg % 2)] = d[reg];
}

void observe_mma_sync(Report& report) {
  Buffer<float> d(static_cast<size_t>(kMmaA + 1) * kMmaD, 0xFF);
  launch(context, mma_sync_one_hot, {dim3(kMmaA + 1), dim3(32)}, d.data());
  finish("mma_sync_one_hot");
  const std::vector<float> values = d.read();
  MmaStructure structure;
  for (size_t i = 0; i < structure.met.size(); ++i) structure.met[i] = code_place(float_bits(values[i]));
  for (int i = 0; i < kMmaD; ++i) structure.added[i] = code_place(float_bits(values[kMmaA * kMmaD + i]));
  write(report, structure);
}

}  // namespace videomae::probe
