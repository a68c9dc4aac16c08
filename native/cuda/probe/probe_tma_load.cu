// Each case loads its box into poisoned shared memory, which is then dumped.
#include "cuda/device/tma.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"
#include "cuda/probe/tma_load.h"
#include "cuda/probe/tma_map.cuh"

namespace videomae::probe {

/// Where the tile begins: behind the barrier, where every swizzle pattern may.
constexpr size_t kTmaTile = 1024;

__global__ void tma_load_box(const __grid_constant__ CUtensorMap map, TmaCase c, uint16_t* out) {
  uint16_t* memory = shared_memory<uint16_t>(kTmaTile);
  cuda::Mbarrier& barrier = *shared_memory<cuda::Mbarrier>();
  const int box = c.box[0] * c.box[1] * c.box[2], elements = box + kTmaGuard;
  for (int i = threadIdx.x; i < elements; i += blockDim.x) memory[i] = kTmaPoison;
  if (threadIdx.x == 0) {
    cuda::mbarrier_init(&barrier, 1);
    cuda::fence_mbarrier_init();
  }
  cuda::fence_proxy_async_shared();
  block_sync();
  if (threadIdx.x == 0) {
    cuda::tma_prefetch_map(map);
    cuda::mbarrier_arrive_expect(&barrier, box * 2);
    if (c.rank == 2) cuda::tma_load(memory, map, c.corner[0], c.corner[1], &barrier);
    if (c.rank == 3) cuda::tma_load(memory, map, c.corner[0], c.corner[1], c.corner[2], &barrier);
  }
  cuda::mbarrier_wait(&barrier, 0);
  for (int i = threadIdx.x; i < elements; i += blockDim.x) out[i] = memory[i];
}

bool is_nan(uint16_t bits) { return (bits & 0x7F80) == 0x7F80 && (bits & 0x7F) != 0; }

void observe_tma_load(Report& report) {
  for (const TmaCase& c : kTmaCases) {
    std::vector<uint16_t> numbers(tma_elements(c));
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint16_t>(i + 1);
    const int elements = tma_box_elements(c) + kTmaGuard;
    const Buffer<uint16_t> global(numbers);
    Buffer<uint16_t> out(elements);
    launch(context, tma_load_box, {dim3(1), dim3(128), kTmaTile + elements * sizeof(uint16_t)},
           tma_map(c, global.data()), c, out.data());
    finish(tma_title("load", c));
    std::vector<int> memory;
    int nan_bits = 0;
    for (const uint16_t bits : out.read()) {
      if (is_nan(bits)) nan_bits = bits;
      memory.push_back(is_nan(bits) ? kTmaNan : bits);
    }
    write_tma_load(report, c, memory);
    if (c.nan_fill) report.note("the last NaN has the bits 0x%04x", nan_bits);
  }
}

}  // namespace videomae::probe
