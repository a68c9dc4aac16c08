// Arithmetic out of registers: bf16 products by mma.sync with random operands, f32 multiply-adds, and 2^x. Enough
// independent chains a thread and warps a multiprocessor that no latency shows.
#include "cuda/bench/ceiling.cuh"
#include "cuda/device/exp2.cuh"
#include "cuda/device/mma_sync.cuh"

namespace videomae::bench {
namespace {

constexpr int kChains = 8, kThreads = 512, kSteps = 4096, kRepeats = 20;

__global__ void __launch_bounds__(kThreads) mma_sync_chains(float* out) {
  const uint32_t thread = blockIdx.x * kThreads + threadIdx.x;
  uint32_t a[2][4], b[kChains][2];
  float d[kChains][4] = {};
#pragma unroll
  for (int i = 0; i < 8; ++i) a[i / 4][i % 4] = random_bf16_pair(thread * 32 + i);
#pragma unroll
  for (int i = 0; i < kChains * 2; ++i) b[i / 2][i % 2] = random_bf16_pair(thread * 32 + 8 + i);
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int chain = 0; chain < kChains; ++chain) {
      videomae::cuda::mma_m16n8k16(d[chain], a[chain % 2], b[chain], d[chain]);
    }
  }
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kChains * 4; ++i) sum += d[i / 4][i % 4];
  out[thread] = sum;
}

__global__ void __launch_bounds__(kThreads) fma_chains(float factor, float addend, float* out) {
  const uint32_t thread = blockIdx.x * kThreads + threadIdx.x;
  float x[kChains];
#pragma unroll
  for (int i = 0; i < kChains; ++i) x[i] = static_cast<float>(thread + i);
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int i = 0; i < kChains; ++i) x[i] = fmaf(x[i], factor, addend);
  }
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kChains; ++i) sum += x[i];
  out[thread] = sum;
}

__global__ void __launch_bounds__(kThreads) exp2_chains(float* out) {
  const uint32_t thread = blockIdx.x * kThreads + threadIdx.x;
  float x[kChains];
#pragma unroll
  for (int i = 0; i < kChains; ++i) x[i] = static_cast<float>((thread + i) % 64) / 64;
  for (int step = 0; step < kSteps; ++step) {
#pragma unroll
    for (int i = 0; i < kChains; ++i) x[i] = videomae::cuda::exp2_approximate(-x[i]);
  }
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kChains; ++i) sum += x[i];
  out[thread] = sum;
}

}  // namespace

void measure_arithmetic() {
  const int blocks = multiprocessors() * 4;
  const Buffer<float> out(static_cast<size_t>(blocks) * kThreads);
  const double steps = static_cast<double>(blocks) * kThreads * kSteps * kChains;  // of all threads
  say_rate("bf16 mma.sync, random operands", steps / 32 * (2.0 * 16 * 8 * 16), 1e12, "TFLOP/s",
           time_repeats(kRepeats, [&](int) { mma_sync_chains<<<blocks, kThreads>>>(out.data()); }));
  say_rate("f32 multiply-add", steps * 2, 1e12, "TFLOP/s",
           time_repeats(kRepeats, [&](int) { fma_chains<<<blocks, kThreads>>>(0.5f, 1.0f, out.data()); }));
  say_rate("2^x", steps, 1e9, "Gop/s",
           time_repeats(kRepeats, [&](int) { exp2_chains<<<blocks, kThreads>>>(out.data()); }));
}

}  // namespace videomae::bench
