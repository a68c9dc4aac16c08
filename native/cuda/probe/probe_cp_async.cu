// Thread `valid` copies that many valid bytes into poisoned shared memory. Then 64 threads start four groups, wait for
// all but some, pass a barrier, and read each other's data of the groups that must be over. What the others hold is a
// matter of time and is not looked at.
#include "cuda/device/atomic.cuh"
#include "cuda/device/cp_async.cuh"
#include "cuda/probe/cp_async.h"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"

namespace videomae::probe {

template <int bytes>
__global__ void cp_async_fill(const unsigned char* source, unsigned char* out) {  // (bytes + 1, bytes + guard)
  unsigned char* memory = shared_memory<unsigned char>() + 32 * threadIdx.x;
  const int valid = threadIdx.x;
  for (int i = 0; i < 32; ++i) memory[i] = kCpAsyncPoison;
  block_sync();
  if (valid <= bytes) {
    cuda::cp_async<bytes>(memory, source, valid);
    cuda::cp_async_commit();
    cuda::cp_async_wait<0>();
    for (int i = 0; i < bytes + kCpAsyncGuard; ++i) out[valid * (bytes + kCpAsyncGuard) + i] = memory[i];
  }
}

template <int pending>
__global__ void cp_async_groups(const int4* source, int* wrong) {  // source: (groups, 4, threads)
  int4* memory = shared_memory<int4>();                            // (groups, 4, threads)
  const int thread = threadIdx.x;
  for (int i = 0; i < kCpAsyncGroups * 4; ++i) memory[i * kCpAsyncThreads + thread] = int4{-1, -1, -1, -1};
  block_sync();
  for (int group = 0; group < kCpAsyncGroups; ++group) {
    for (int i = 0; i < 4; ++i) {
      cuda::cp_async<16>(&memory[(group * 4 + i) * kCpAsyncThreads + thread],
                         &source[(group * 4 + i) * kCpAsyncThreads + thread]);
    }
    cuda::cp_async_commit();
  }
  cuda::cp_async_wait<pending>();
  block_sync();
  const int other = kCpAsyncThreads - 1 - thread;
  for (int group = 0; group < kCpAsyncGroups - pending; ++group) {
    for (int i = 0; i < 4; ++i) {
      const int4 got = memory[(group * 4 + i) * kCpAsyncThreads + other],
                 want = source[(group * 4 + i) * kCpAsyncThreads + other];
      const int bad = (got.x != want.x) + (got.y != want.y) + (got.z != want.z) + (got.w != want.w);
      if (bad) cuda::atomic_add(wrong, bad);
    }
  }
  cuda::cp_async_wait<0>();
}

template <int bytes>
void observe_fill(Report& report) {
  std::vector<unsigned char> source(32);
  for (int i = 0; i < 32; ++i) source[i] = static_cast<unsigned char>(cp_async_source(i));
  Buffer<unsigned char> from(source), out((bytes + 1) * (bytes + kCpAsyncGuard));
  launch(context, cp_async_fill<bytes>, {dim3(1), dim3(32), 32 * 32}, from.data(), out.data());
  finish("cp_async_fill");
  const std::vector<unsigned char> landed = out.read();
  write_cp_async_fill(report, bytes, std::vector<int>(landed.begin(), landed.end()));
}

template <int pending>
void observe_wait(Report& report) {
  std::vector<int4> source(kCpAsyncGroups * 4 * kCpAsyncThreads);
  int value = 0;
  for (int4& four : source) four = {value + 1, value + 2, value + 3, value + 4}, value += 4;
  Buffer<int4> from(source);
  Buffer<int> wrong(1);
  launch(context, cp_async_groups<pending>,
         {dim3(1), dim3(kCpAsyncThreads), kCpAsyncGroups * 4 * kCpAsyncThreads * sizeof(int4)}, from.data(),
         wrong.data());
  finish("cp_async_groups");
  write_cp_async_wait(report, pending, wrong.read()[0]);
}

void observe_cp_async(Report& report) {
  observe_fill<4>(report);
  observe_fill<8>(report);
  observe_fill<16>(report);
  observe_wait<0>(report);
  observe_wait<1>(report);
  observe_wait<2>(report);
  observe_wait<3>(report);
}

}  // namespace videomae::probe
