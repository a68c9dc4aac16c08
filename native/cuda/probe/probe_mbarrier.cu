// One thread plays the script and asks after each step; then a block arrives and waits over many phases.
#include "cuda/device/atomic.cuh"
#include "cuda/device/bulk_copy.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/mbarrier.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {

__global__ void mbarrier_script(const MbarrierStep* script, int steps, const unsigned char* source, int* over,
                                int* bytes_wrong) {
  cuda::Mbarrier& barrier = *shared_memory<cuda::Mbarrier>(64);
  unsigned char* landed = shared_memory<unsigned char>();  // (64)
  int last_copy = 0;
  bool alive = false;
  for (int i = 0; i < steps; ++i) {
    const int argument = script[i].argument;
    switch (script[i].act) {
      case MbarrierAct::init:
        if (alive) cuda::mbarrier_invalidate(&barrier);
        alive = true;
        cuda::mbarrier_init(&barrier, argument);
        cuda::fence_mbarrier_init();
        break;
      case MbarrierAct::arrive:
        for (int n = 0; n < argument; ++n) cuda::mbarrier_arrive(&barrier);
        break;
      case MbarrierAct::expect:
        cuda::mbarrier_expect(&barrier, argument);
        break;
      case MbarrierAct::arrive_expect:
        cuda::mbarrier_arrive_expect(&barrier, argument);
        break;
      case MbarrierAct::copy:
        for (int n = 0; n < 64; ++n) landed[n] = 0xEE;
        cuda::fence_proxy_async_shared();
        cuda::bulk_load(landed, source, argument, &barrier);
        last_copy = argument;
        break;
      case MbarrierAct::wait:
        cuda::mbarrier_wait(&barrier, argument);
        for (int n = 0; n < 64; ++n) *bytes_wrong += landed[n] != (n < last_copy ? source[n] : 0xEE);
        break;
    }
    if (script[i].act == MbarrierAct::copy) continue;
    over[i] = cuda::mbarrier_test(&barrier, 0) | cuda::mbarrier_test(&barrier, 1) << 1 |
              cuda::mbarrier_try(&barrier, 0) << 2 | cuda::mbarrier_try(&barrier, 1) << 3;
  }
}

__global__ void mbarrier_phases(int* wrong) {
  int* values[2] = {shared_memory<int>(), shared_memory<int>() + kMbarrierThreads};
  cuda::Mbarrier& barrier = *shared_memory<cuda::Mbarrier>(2 * kMbarrierThreads * sizeof(int));
  const int thread = threadIdx.x;
  if (thread == 0) {
    cuda::mbarrier_init(&barrier, kMbarrierThreads);
    cuda::fence_mbarrier_init();
  }
  block_sync();
  for (int phase = 0; phase < kMbarrierPhases; ++phase) {
    values[phase % 2][thread] = phase * 1000 + thread;
    cuda::mbarrier_arrive(&barrier);
    cuda::mbarrier_wait(&barrier, phase % 2);
    const int neighbour = (thread + 33) % kMbarrierThreads;
    if (values[phase % 2][neighbour] != phase * 1000 + neighbour) cuda::atomic_add(wrong, 1);
  }
}

void observe_mbarrier(Report& report) {
  std::vector<unsigned char> source(64);
  for (int i = 0; i < 64; ++i) source[i] = static_cast<unsigned char>(i + 1);
  const Buffer<unsigned char> from(source);
  const Buffer<MbarrierStep> script(std::vector<MbarrierStep>(kMbarrierScript, kMbarrierScript + kMbarrierSteps));
  Buffer<int> over(kMbarrierSteps), bytes_wrong(1), wrong(1);
  launch(context, mbarrier_script, {dim3(1), dim3(1), 72}, script.data(), kMbarrierSteps, from.data(), over.data(),
         bytes_wrong.data());
  finish("mbarrier_script");
  launch(context, mbarrier_phases, {dim3(1), dim3(kMbarrierThreads), 2 * kMbarrierThreads * sizeof(int) + 8},
         wrong.data());
  finish("mbarrier_phases");
  write_mbarrier(report, over.read(), wrong.read()[0], bytes_wrong.read()[0]);
}

}  // namespace videomae::probe
