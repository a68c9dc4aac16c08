// The first kernel lets the second begin at once, waits up to a millisecond for its sign, and only then writes. The
// second gives the sign, waits, and counts what it does not see.
#include "cuda/device/atomic.cuh"
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
    if (blockIdx.x == 0 && *sign == round) cuda::atomic_add(early, 1);
  }
  block_sync();
  data[blockIdx.x * blockDim.x + threadIdx.x] = round;
}

__global__ void dependent_second(int round, volatile int* sign, const int* data, int* wrong) {
#if VIDEOMAE_CUDA  // the emulator refuses writes before the wait, and lets no kernel begin early
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    *sign = round;
    __threadfence();
  }
#endif
  cuda::dependent_launch_wait();
  const int mirrored = kDependentElements - 1 - static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (*static_cast<const volatile int*>(&data[mirrored]) != round) cuda::atomic_add(wrong, 1);
}

void observe_attribute(Report& report, bool attribute_set) {
  Buffer<int> sign(1), data(kDependentElements), early(1), wrong(1);
  for (int round = 1; round <= kDependentRounds; ++round) {
    const dim3 grid(kDependentBlocks), block(kDependentThreads);
    launch(context, dependent_first, {grid, block}, round, sign.data(), data.data(), early.data());
    launch(context, dependent_second, {grid, block, 0, 1, attribute_set}, round, sign.data(), data.data(),
           wrong.data());
  }
  finish("dependent_second");
  write_dependent_launch(report, attribute_set, wrong.read()[0], early.read()[0]);
}

void observe_dependent_launch(Report& report) {
  observe_attribute(report, true);
  observe_attribute(report, false);
}

}  // namespace videomae::probe
