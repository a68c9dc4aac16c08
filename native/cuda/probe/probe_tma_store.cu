// Each case stores a numbered box into poisoned global memory, which is then read back whole.
#include "cuda/device/bulk_group.cuh"
#include "cuda/device/tma.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"
#include "cuda/probe/tma_map.cuh"
#include "cuda/probe/tma_store.h"

namespace videomae::probe {

__global__ void tma_store_box(const __grid_constant__ CUtensorMap map, TmaCase c) {
  uint16_t* memory = shared_memory<uint16_t>();
  const int box = c.box[0] * c.box[1] * c.box[2];
  for (int i = threadIdx.x; i < box; i += blockDim.x) memory[i] = static_cast<uint16_t>(i + 1);
  cuda::fence_proxy_async_shared();
  block_sync();
  if (threadIdx.x == 0) {
    if (c.rank == 2) cuda::tma_store(map, c.corner[0], c.corner[1], memory);
    if (c.rank == 3) cuda::tma_store(map, c.corner[0], c.corner[1], c.corner[2], memory);
    cuda::bulk_commit();
    cuda::bulk_wait_read<0>();  // shared memory must live until it has been read
    cuda::bulk_wait<0>();
  }
}

void observe_tma_store(Report& report) {
  for (const TmaCase& c : kTmaCases) {
    if (c.nan_fill) continue;
    const Buffer<uint16_t> global(std::vector<uint16_t>(tma_elements(c), kTmaPoison));
    launch(context, tma_store_box, {dim3(1), dim3(128), tma_box_elements(c) * sizeof(uint16_t)},
           tma_map(c, global.data()), c);
    finish(tma_title("store", c));
    const std::vector<uint16_t> memory = global.read();
    write_tma_store(report, c, std::vector<int>(memory.begin(), memory.end()));
  }
}

}  // namespace videomae::probe
