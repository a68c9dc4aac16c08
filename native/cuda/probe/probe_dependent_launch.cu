// The first kernel lets the second begin at once, waits up to a millisecond for its sign, and only then writes. The
// second gives the sign, waits, and counts what it does not see.
#include "cuda/device/dependent_launch.cuh"
#include "cuda/probe/dependent_launch.h"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"

namespace videomae::probe {

constexpr long long kDependentClocks = 2'000'000;  // about a millisecond

__global__ void dependent_first(int round, volatile int* sign, int* data, int* early) {
  cuda::dependent_launch_wait();  // the round before has ended
  cuda::dependent_launch_allow();
  if (threadIdx.x == 0) {
    const long long start = clock64();
    while (*sign != round && clock64() - start < kDependentClocks) {
    }
    if (blockIdx.x == 0 && *sign == round) atomicAdd(early, 1);
  }
  __syncthreads();
  data[blockIdx.x * blockDim.x + threadIdx.x] = round;
}

__global__ void dependent_second(int round, volatile int* sign, const int* data, int* wrong) {
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    *sign = round;
    __threadfence();
  }
  cuda::dependent_launch_wait();
  const int mirrored = kDependentElements - 1 - static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (*static_cast<const volatile int*>(&data[mirrored]) != round) atomicAdd(wrong, 1);
}

void observe_attribute(Report& report, bool attribute_set) {
  Buffer<int> sign(1), data(kDependentElements), early(1), wrong(1);
  cudaStream_t stream;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t plain{};
  plain.gridDim = dim3(kDependentBlocks), plain.blockDim = dim3(kDependentThreads), plain.stream = stream;
  cudaLaunchConfig_t dependent = plain;
  if (attribute_set) dependent.attrs = &attribute, dependent.numAttrs = 1;
  for (int round = 1; round <= kDependentRounds; ++round) {
    check(cudaLaunchKernelEx(&plain, dependent_first, round, sign.data(), data.data(), early.data()),
          "dependent_first");
    check(cudaLaunchKernelEx(&dependent, dependent_second, round, sign.data(), static_cast<const int*>(data.data()),
                             wrong.data()),
          "dependent_second");
  }
  finish("dependent_second");
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  write_dependent_launch(report, attribute_set, wrong.read()[0], early.read()[0]);
}

void observe_dependent_launch(Report& report) {
  observe_attribute(report, true);
  observe_attribute(report, false);
}

}  // namespace videomae::probe
