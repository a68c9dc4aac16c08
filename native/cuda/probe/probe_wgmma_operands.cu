// Block i sets element i of the operand's memory to 1 and all others to 0; the other operand holds codes.
#include "cuda/device/atomic.cuh"
#include "cuda/device/wgmma.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"
#include "cuda/probe/wgmma_operands.h"

namespace videomae::probe {

/// Reduces a block's D to the smallest place that is not 0, its code, and their number.
/// @param scratch  two words of shared memory
template <int count>
__device__ void reach(const float (&d)[count], int* scratch, Reached* out) {
  int &first = scratch[0], &products = scratch[1];
  const int thread = threadIdx.x;
  if (thread == 0) first = 1 << 30, products = 0;
  block_sync();
#pragma unroll
  for (int reg = 0; reg < count; ++reg) {
    if (code_place(__float_as_uint(d[reg])) == kNothing) continue;
    cuda::atomic_min(&first, number_of(128, thread, reg / 2, reg % 2));
    cuda::atomic_add(&products, 1);
  }
  block_sync();
  if (thread == 0) out->products = products;
#pragma unroll
  for (int reg = 0; reg < count; ++reg) {
    if (first != number_of(128, thread, reg / 2, reg % 2)) continue;
    out->d_place = first;
    out->other = code_place(__float_as_uint(d[reg]));
  }
}

__device__ void one_hot(unsigned char* memory, uint32_t bytes, int hot) {
  uint16_t* elements = reinterpret_cast<uint16_t*>(memory);
  for (int i = threadIdx.x; i < static_cast<int>(bytes / 2); i += cuda::kWarpgroup) elements[i] = i == hot ? kOne : 0;
}

template <cuda::Major major>
__global__ void wgmma_one_hot_a(cuda::Swizzle swizzle, Reached* out) {
  const cuda::WgmmaTile a = operand_tile(major, swizzle, 64), b = other_tile();
  unsigned char* a_memory = shared_memory<unsigned char>();
  unsigned char* b_memory = a_memory + a.bytes();
  one_hot(a_memory, a.bytes(), blockIdx.x);
  reinterpret_cast<uint16_t*>(b_memory)[threadIdx.x] = code_bits(threadIdx.x);  // 8 * 16 elements, 128 threads
  cuda::fence_proxy_async_shared();
  block_sync();
  float d[4] = {};
  cuda::wgmma_fence(d);
  cuda::wgmma_shared<8, major, cuda::Major::k>(d,
                                               cuda::encode(a.descriptor(cuda::shared_address(a_memory), 0, kOperandK)),
                                               cuda::encode(b.descriptor(cuda::shared_address(b_memory), 0, 0)), 0);
  cuda::wgmma_commit();
  cuda::wgmma_wait<0>(d);
  reach(d, shared_memory<int>(a.bytes() + b.bytes()), &out[blockIdx.x]);
}

template <cuda::Major major>
__global__ void wgmma_one_hot_b(cuda::Swizzle swizzle, Reached* out) {
  const cuda::WgmmaTile b = operand_tile(major, swizzle, kOperandB);
  unsigned char* memory = shared_memory<unsigned char>();
  one_hot(memory, b.bytes(), blockIdx.x);
  cuda::fence_proxy_async_shared();
  block_sync();
  uint32_t a[4];
#pragma unroll
  for (int reg = 0; reg < 4; ++reg) {
    const int place = number_of(128, threadIdx.x, reg, 0);
    a[reg] = code_bits(place) | static_cast<uint32_t>(code_bits(place + 1)) << 16;
  }
  float d[kOperandB / 2] = {};
  cuda::tie_registers(a);
  cuda::wgmma_fence(d);
  cuda::wgmma_registers<kOperandB, major>(d, a, cuda::encode(b.descriptor(cuda::shared_address(memory), 0, kOperandK)),
                                          0);
  cuda::wgmma_commit();
  cuda::wgmma_wait<0>(d);
  reach(d, shared_memory<int>(b.bytes()), &out[blockIdx.x]);
}

template <class Kernel>
std::vector<Reached> reached_by(Kernel* kernel, const char* name, const cuda::WgmmaTile& tile, uint32_t other_bytes) {
  const size_t elements = tile.bytes() / 2, shared = tile.bytes() + other_bytes + 2 * sizeof(int);
  Buffer<Reached> out(std::vector<Reached>(elements, Reached{}));
  launch(context, kernel, {dim3(static_cast<unsigned>(elements)), dim3(cuda::kWarpgroup), shared}, tile.swizzle,
         out.data());
  finish(name);
  return out.read();
}

template <cuda::Major major>
void observe_major(Report& report) {
  for (const cuda::Swizzle swizzle : kSwizzles) {
    write_operand(
        report, 'A', major, swizzle,
        reached_by(wgmma_one_hot_a<major>, "wgmma_one_hot_a", operand_tile(major, swizzle, 64), other_tile().bytes()));
    write_operand(report, 'B', major, swizzle,
                  reached_by(wgmma_one_hot_b<major>, "wgmma_one_hot_b", operand_tile(major, swizzle, kOperandB), 0));
  }
}

void observe_wgmma_operands(Report& report) {
  observe_major<cuda::Major::k>(report);
  observe_major<cuda::Major::mn>(report);
}

}  // namespace videomae::probe
