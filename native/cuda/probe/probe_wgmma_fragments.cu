// Block i multiplies the A whose place i alone is 1 by a B of codes in shared memory.
#include "cuda/device/wgmma.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"
#include "cuda/probe/wgmma_fragments.h"

namespace videomae::probe {

template <int n>
__global__ void wgmma_one_hot_register(int* met) {  // (kWgmmaA, 64 * n)
  uint16_t* b = shared_memory<uint16_t>();          // (n, 16)
  const int thread = threadIdx.x, hot = blockIdx.x;
  for (int i = thread; i < n * 16; i += cuda::kWarpgroup) b[i] = code_bits(i);
  cuda::fence_proxy_async_shared();
  block_sync();
  uint32_t a[4];
#pragma unroll
  for (int reg = 0; reg < 4; ++reg) {
    const int place = number_of(128, thread, reg, 0);
    a[reg] = hot == place ? kOne : hot == place + 1 ? static_cast<uint32_t>(kOne) << 16 : 0;
  }
  const uint64_t descriptor = cuda::encode(fragment_tile(n).descriptor(cuda::shared_address(b), 0, 0));
  float d[n / 2] = {};
  cuda::tie_registers(a);
  cuda::wgmma_fence(d);
  cuda::wgmma_registers<n, cuda::Major::k>(d, a, descriptor, 0);
  cuda::wgmma_commit();
  cuda::wgmma_wait<0>(d);
#pragma unroll
  for (int reg = 0; reg < n / 2; ++reg) {
    met[hot * 64 * n + number_of(128, thread, reg / 2, reg % 2)] = code_place(__float_as_uint(d[reg]));
  }
}

void observe_wgmma_fragments(Report& report) {
  Buffer<int> few(static_cast<size_t>(kWgmmaA) * 64 * 8), many(static_cast<size_t>(kWgmmaA) * 64 * 64);
  launch(context, wgmma_one_hot_register<8>, {dim3(kWgmmaA), dim3(cuda::kWarpgroup), 8 * 16 * sizeof(uint16_t)},
         few.data());
  finish("wgmma_one_hot_register<8>");
  launch(context, wgmma_one_hot_register<64>, {dim3(kWgmmaA), dim3(cuda::kWarpgroup), 64 * 16 * sizeof(uint16_t)},
         many.data());
  finish("wgmma_one_hot_register<64>");
  write_wgmma_structure(report, few.read());
  write_wgmma_d(report, many.read());
}

}  // namespace videomae::probe
