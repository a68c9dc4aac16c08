// bf16 products by wgmma m64n256k16, both operands random and in shared memory with a 128-byte swizzle: two warpgroups
// a multiprocessor, each with its own 64 rows of A, B shared, as a matrix kernel would run without its loads.
#include "cuda/bench/ceiling.cuh"
#include "cuda/device/wgmma.cuh"

namespace videomae::bench {
namespace {

using videomae::cuda::Major;
using videomae::cuda::Swizzle;
using videomae::cuda::WgmmaTile;

constexpr int kThreads = 256, kN = 256, kK = 64, kRounds = 2048, kRepeats = 20;
VIDEOMAE_HOST_DEVICE constexpr WgmmaTile a_tile() { return {Major::k, Swizzle::b128, 128, kK}; }
VIDEOMAE_HOST_DEVICE constexpr WgmmaTile b_tile() { return {Major::k, Swizzle::b128, kN, kK}; }
constexpr int kTimes = 4;  // a group runs over K this often

__global__ void __launch_bounds__(kThreads, 1) wgmma_rounds(float* out) {
  constexpr WgmmaTile a = a_tile(), b = b_tile();
  unsigned char* memory = videomae::cuda::shared_memory<unsigned char>();
  uint32_t* words = reinterpret_cast<uint32_t*>(memory);
  for (uint32_t i = threadIdx.x; i < (a.bytes() + b.bytes()) / 4; i += kThreads) words[i] = random_bf16_pair(i);
  videomae::cuda::fence_proxy_async_shared();
  __syncthreads();
  const uint32_t base = videomae::cuda::shared_address(memory);
  const uint32_t row = threadIdx.x / videomae::cuda::kWarpgroup * 64;
  float d[kN / 2] = {};
  for (int round = 0; round < kRounds; ++round) {
    videomae::cuda::wgmma_fence(d);
#pragma unroll
    for (int step = 0; step < kTimes * kK / 16; ++step) {
      const uint32_t k = step * 16 % kK;
      videomae::cuda::wgmma_shared<kN, Major::k, Major::k>(d, videomae::cuda::encode(a.descriptor(base, row, k)),
                                                           videomae::cuda::encode(b.descriptor(base + a.bytes(), 0, k)),
                                                           1);
    }
    videomae::cuda::wgmma_commit();
    videomae::cuda::wgmma_wait<0>(d);
  }
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kN / 2; ++i) sum += d[i];
  out[blockIdx.x * kThreads + threadIdx.x] = sum;
}

}  // namespace

void measure_wgmma() {
  const int blocks = multiprocessors();
  const size_t shared = a_tile().bytes() + b_tile().bytes();
  const Buffer<float> out(static_cast<size_t>(blocks) * kThreads);
  const double products = static_cast<double>(blocks) * kRounds * kTimes * 128 * kN * kK;
  say_rate("bf16 wgmma, random operands in shared memory", 2 * products, 1e12, "TFLOP/s",
           time_repeats(kRepeats, [&](int) {
             videomae::cuda::launch(videomae::cuda::DefaultStream{}, wgmma_rounds,
                                    {dim3(blocks), dim3(kThreads), shared}, out.data());
           }));
}

}  // namespace videomae::bench
