// What the emulator costs, in processor time: a switch between threads, a tensor-core product of a warp, a watched
// access, a thread's start. Prints nanoseconds each.
#include <cstdio>
#include <ctime>

#include "cuda/device/buffer.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/mma_sync.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/device/shuffle.cuh"

namespace videomae::cuda {
namespace {

constexpr DefaultStream context;
constexpr int kBlocks = 4, kThreads = 256, kRounds = 1000;

__global__ void barriers(float*, const float*) {
  for (int i = 0; i < kRounds; ++i) block_sync();
}

__global__ void shuffles(float* y, const float*) {
  float value = static_cast<float>(threadIdx.x);
  for (int i = 0; i < kRounds; ++i) value = shuffle_xor(value, 1);
  y[blockIdx.x * kThreads + threadIdx.x] = value;
}

__global__ void products(float* y, const float*) {
  const uint32_t a[4] = {1, 2, 3, 4}, b[2] = {5, 6};
  float d[4] = {};
  for (int i = 0; i < kRounds; ++i) mma_m16n8k16(d, a, b, d);
  y[blockIdx.x * kThreads + threadIdx.x] = d[0];
}

__global__ void shared_reads(float* y, const float*) {
  float* shared = shared_memory<float>();
  shared[threadIdx.x] = 1;
  block_sync();
  float sum = 0;
  for (unsigned i = 0; i < kRounds; ++i) sum += shared[(threadIdx.x + i) % kThreads];
  y[blockIdx.x * kThreads + threadIdx.x] = sum;
}

__global__ void global_reads(float* y, const float* x) {
  float sum = 0;
  for (unsigned i = 0; i < kRounds; ++i) sum += x[(threadIdx.x + i) % kThreads];
  y[blockIdx.x * kThreads + threadIdx.x] = sum;
}

__global__ void nothing(float*, const float*) {}

using Kernel = void(float*, const float*);

void measure(const char* what, Kernel* kernel, int blocks, double count) {
  const Buffer<float> y(kBlocks * kThreads), x(kThreads);
  const emu::Operands operands({{"y", y.data(), y.bytes(), true}, {"x", x.data(), x.bytes(), false}});
  double best = 1e9;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const std::clock_t start = std::clock();
    launch(context, kernel, {dim3(blocks), dim3(kThreads), kThreads * sizeof(float)}, y.data(),
           static_cast<const float*>(x.data()));
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::printf("%-24s %7.1f ns\n", what, best / count * 1e9);
}

}  // namespace
}  // namespace videomae::cuda

int main() {
  using namespace videomae::cuda;
  constexpr double count = 1.0 * kBlocks * kThreads * kRounds;
  measure("block_sync, a thread", barriers, kBlocks, count);
  measure("shuffle, a lane", shuffles, kBlocks, count);
  measure("mma_m16n8k16, a warp", products, kBlocks, count / 32);
  measure("read of shared memory", shared_reads, kBlocks, count);
  measure("read of an operand", global_reads, kBlocks, count);
  measure("start of a thread", nothing, 4096, 4096.0 * kThreads);
}
