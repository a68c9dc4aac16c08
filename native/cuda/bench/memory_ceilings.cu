// Device memory: bytes a second of copies (read and written both counted), of reads, and of writes. Buffers of half a
// gigabyte take turns, four of each, so that no cache holds what comes next.
#include "cuda/bench/ceiling.cuh"

namespace videomae::bench {
namespace {

constexpr int kThreads = 512, kVectors = 4;  // 16-byte vectors a thread
constexpr int kRotation = 4, kRepeats = 40;

__global__ void copy_vectors(const uint4* from, uint4* to) {
  const size_t first = static_cast<size_t>(blockIdx.x) * kThreads * kVectors + threadIdx.x;
  uint4 values[kVectors];
#pragma unroll
  for (int i = 0; i < kVectors; ++i) values[i] = from[first + i * kThreads];
#pragma unroll
  for (int i = 0; i < kVectors; ++i) to[first + i * kThreads] = values[i];
}

__global__ void read_vectors(const uint4* from, uint4* never) {
  const size_t first = static_cast<size_t>(blockIdx.x) * kThreads * kVectors + threadIdx.x;
  uint32_t all = 0;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const uint4 value = from[first + i * kThreads];
    all |= value.x | value.y | value.z | value.w;
  }
  if (all == 0x12345678u) never[0] = uint4{all, all, all, all};  // the memory holds something else
}

__global__ void write_vectors(uint4* to) {
  const size_t first = static_cast<size_t>(blockIdx.x) * kThreads * kVectors + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) to[first + i * kThreads] = uint4{1, 2, 3, threadIdx.x};
}

}  // namespace

void measure_memory() {
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  constexpr size_t kBlockBytes = sizeof(uint4) * kThreads * kVectors;
  const size_t bytes = std::min<size_t>(size_t{512} << 20, free / (4 * kRotation)) / kBlockBytes * kBlockBytes;
  const Buffer<uint4> from(kRotation * bytes / sizeof(uint4), 0x11), to(kRotation * bytes / sizeof(uint4), 0x22);
  const unsigned blocks = static_cast<unsigned>(bytes / kBlockBytes);
  const auto source = [&](int repeat) { return from.data() + repeat % kRotation * (bytes / sizeof(uint4)); };
  const auto target = [&](int repeat) { return to.data() + repeat % kRotation * (bytes / sizeof(uint4)); };

  say_rate("copy engine of the runtime (device to device)", 2.0 * bytes, 1e9, "GB/s",
           time_repeats(kRepeats, [&](int r) {
             check(cudaMemcpyAsync(target(r), source(r), bytes, cudaMemcpyDeviceToDevice), "cudaMemcpyAsync");
           }));
  say_rate("copy kernel", 2.0 * bytes, 1e9, "GB/s",
           time_repeats(kRepeats, [&](int r) { copy_vectors<<<blocks, kThreads>>>(source(r), target(r)); }));
  say_rate("read kernel", 1.0 * bytes, 1e9, "GB/s",
           time_repeats(kRepeats, [&](int r) { read_vectors<<<blocks, kThreads>>>(source(r), target(r)); }));
  say_rate("write kernel", 1.0 * bytes, 1e9, "GB/s",
           time_repeats(kRepeats, [&](int r) { write_vectors<<<blocks, kThreads>>>(target(r)); }));
}

}  // namespace videomae::bench
