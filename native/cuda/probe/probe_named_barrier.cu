// Producers write, arrive on "full" and wait on "empty"; the last warp does the reverse. "empty" is the next barrier
// number, so that two are in use at once. Were arriving to wait, the second kernel would never end.
#include "cuda/device/named_barrier.cuh"
#include "cuda/device/shuffle.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/named_barrier.h"
#include "cuda/probe/probe.h"

namespace videomae::probe {

__global__ void named_barrier_rounds(int producers, int* sums) {  // block: barrier - 1
  int* values = shared_memory<int>();                             // (7, 32)
  const int full = blockIdx.x + 1, empty = full % 15 + 1;
  const int threads = (producers + 1) * 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (warp < producers) {
    for (int round = 0; round < kNamedBarrierRounds; ++round) {
      values[threadIdx.x] = round * 1000 + static_cast<int>(threadIdx.x);
      cuda::named_barrier_arrive(full, threads);
      cuda::named_barrier_sync(empty, threads);
    }
  } else {
    int sum = 0;
    for (int round = 0; round < kNamedBarrierRounds; ++round) {
      cuda::named_barrier_sync(full, threads);
      for (int i = 0; i < producers; ++i) sum += values[i * 32 + 31 - lane];
      cuda::named_barrier_arrive(empty, threads);
    }
    for (int mask = 16; mask; mask /= 2) sum += cuda::shuffle_xor(sum, mask);
    if (lane == 0) sums[blockIdx.x] = sum;
  }
}

__global__ void arrive_goes_on(int* seen) {
  int& flag = *shared_memory<int>();
  const int warp = threadIdx.x / 32;
  if (threadIdx.x == 0) flag = 0;
  block_sync();
  if (warp == 0) {
    cuda::named_barrier_arrive(1, 64);
    if (threadIdx.x == 0) flag = 1;
    cuda::named_barrier_sync(2, 64);
  } else {
    cuda::named_barrier_sync(2, 64);
    if (threadIdx.x == 32) *seen = flag;
    cuda::named_barrier_sync(1, 64);
  }
}

void observe_named_barrier(Report& report) {
  for (const int producers : kNamedBarrierProducers) {
    Buffer<int> sums(15, 0xFF);
    launch(context, named_barrier_rounds, {dim3(15), dim3((producers + 1) * 32), 7 * 32 * sizeof(int)}, producers,
           sums.data());
    finish("named_barrier_rounds");
    write_named_barrier(report, producers, sums.read());
  }
  Buffer<int> seen(1);
  launch(context, arrive_goes_on, {dim3(1), dim3(64), sizeof(int)}, seen.data());
  finish("arrive_goes_on");
  write_arrive_goes_on(report, seen.read()[0]);
}

}  // namespace videomae::probe
