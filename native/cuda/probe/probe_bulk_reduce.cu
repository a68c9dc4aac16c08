// One thread a block adds the block's stretch.
#include "cuda/device/bulk_reduce.cuh"
#include "cuda/probe/bulk_reduce.h"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"

namespace videomae::probe {

template <class T>
__global__ void bulk_reduce_stretches(const T* values, T* sums) {  // values: (blocks, count)
  __shared__ __align__(16) T mine[kReduceCount];
  mine[threadIdx.x] = values[blockIdx.x * kReduceCount + threadIdx.x];
  cuda::fence_proxy_async_shared();
  __syncthreads();
  if (threadIdx.x == 0) {
    cuda::bulk_reduce_add(sums + blockIdx.x * kReduceShift, mine, sizeof(mine));
    cuda::bulk_commit();
    cuda::bulk_wait<0>();
  }
}

template <class T>
void observe_type(Report& report, const char* type) {
  std::vector<T> values(kReduceBlocks * kReduceCount);
  for (int block = 0; block < kReduceBlocks; ++block) {
    for (int i = 0; i < kReduceCount; ++i) {
      values[block * kReduceCount + i] = static_cast<T>(static_cast<float>(reduce_value(block, i)));
    }
  }
  const Buffer<T> from(values), sums(std::vector<T>(kReduceTotal, static_cast<T>(static_cast<float>(kReduceStart))));
  bulk_reduce_stretches<T><<<kReduceBlocks, kReduceCount>>>(from.data(), sums.data());
  finish("bulk_reduce_stretches");
  std::vector<int> got;
  for (const T sum : sums.read()) got.push_back(static_cast<int>(static_cast<float>(sum)));
  write_bulk_reduce(report, type, got);
}

void observe_bulk_reduce(Report& report) {
  observe_type<float>(report, "f32");
  observe_type<__nv_bfloat16>(report, "bf16");
}

}  // namespace videomae::probe
