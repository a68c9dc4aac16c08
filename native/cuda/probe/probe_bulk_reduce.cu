// One thread a block adds the block's stretch.
#include "cuda/device/bfloat16.cuh"
#include "cuda/device/bulk_reduce.cuh"
#include "cuda/probe/bulk_reduce.h"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"

namespace videomae::probe {

template <class T>
__global__ void bulk_reduce_stretches(const T* values, T* sums) {  // values: (blocks, count)
  T* mine = shared_memory<T>();                                    // (kReduceCount)
  mine[threadIdx.x] = values[blockIdx.x * kReduceCount + threadIdx.x];
  cuda::fence_proxy_async_shared();
  block_sync();
  if (threadIdx.x == 0) {
    cuda::bulk_reduce_add(sums + blockIdx.x * kReduceShift, mine, kReduceCount * sizeof(T));
    cuda::bulk_commit();
    cuda::bulk_wait<0>();
  }
}

template <class T>
void observe_type(Report& report, const char* type) {
  std::vector<T> values(kReduceBlocks * kReduceCount);
  for (int block = 0; block < kReduceBlocks; ++block) {
    for (int i = 0; i < kReduceCount; ++i) {
      values[block * kReduceCount + i] = cuda::from_float<T>(static_cast<float>(reduce_value(block, i)));
    }
  }
  const Buffer<T> from(values),
      sums(std::vector<T>(kReduceTotal, cuda::from_float<T>(static_cast<float>(kReduceStart))));
  launch(context, bulk_reduce_stretches<T>, {dim3(kReduceBlocks), dim3(kReduceCount), kReduceCount * sizeof(T)},
         from.data(), sums.data());
  finish("bulk_reduce_stretches");
  std::vector<int> got;
  for (const T sum : sums.read()) got.push_back(static_cast<int>(cuda::to_float(sum)));
  write_bulk_reduce(report, type, got);
}

void observe_bulk_reduce(Report& report) {
  observe_type<float>(report, "f32");
  observe_type<bf16>(report, "bf16");
}

}  // namespace videomae::probe
