// One warpgroup a case; operands are stored at WgmmaTile::offset() and described by WgmmaTile::descriptor().
#include "cuda/device/bfloat16.cuh"
#include "cuda/device/wgmma.cuh"
#include "cuda/probe/gpu.cuh"
#include "cuda/probe/probe.h"
#include "cuda/probe/wgmma_products.h"

namespace videomae::probe {

__device__ uint16_t product_bits(int which, int row, int k) {
  return cuda::to_bf16(static_cast<float>(product_value(which, row, k))).bits;
}

/// Fills a tile with A or B.
__device__ void store_tile(unsigned char* memory, const cuda::WgmmaTile& tile, int which) {
  const int elements = static_cast<int>(tile.mn_size * tile.k_size);
  for (int i = threadIdx.x; i < elements; i += cuda::kWarpgroup) {
    const int mn = i / kProductK, k = i % kProductK;
    *reinterpret_cast<uint16_t*>(memory + tile.offset(mn, k)) = product_bits(which, mn, k);
  }
}

template <int n, ASource a_source, cuda::Major b_major>
__global__ void __launch_bounds__(cuda::kWarpgroup) wgmma_product(cuda::Swizzle swizzle, float* out) {  // (64, n)
  constexpr cuda::Major a_major = a_source == ASource::shared_mn ? cuda::Major::mn : cuda::Major::k;
  const cuda::WgmmaTile a_tile{a_major, swizzle, 64, kProductK}, b_tile{b_major, swizzle, n, kProductK};
  unsigned char* a_memory = shared_memory<unsigned char>();
  unsigned char* b_memory = a_memory + a_tile.bytes();  // a multiple of 1024
  store_tile(a_memory, a_tile, 0);
  store_tile(b_memory, b_tile, 1);
  cuda::fence_proxy_async_shared();
  block_sync();

  uint32_t a[kProductK / 16][4];
  if constexpr (a_source == ASource::registers) {
#pragma unroll
    for (int i = 0; i < kProductK / 4; ++i) {
      const cuda::Place low = cuda::wgmma_a_place({static_cast<int>(threadIdx.x), i % 4, 0});
      const int k = i / 4 * 16 + low.col;
      a[i / 4][i % 4] = product_bits(0, low.row, k) | static_cast<uint32_t>(product_bits(0, low.row, k + 1)) << 16;
    }
#pragma unroll
    for (uint32_t(&step)[4] : a) cuda::tie_registers(step);
  }
  float d[n / 2];
#pragma unroll
  for (float& value : d) value = -12345.0f;  // the first step does not accumulate
  cuda::wgmma_fence(d);
#pragma unroll
  for (int step = 0; step < kProductK / 16; ++step) {
    const uint64_t b = cuda::encode(b_tile.descriptor(cuda::shared_address(b_memory), 0, step * 16));
    if constexpr (a_source == ASource::registers) {
      cuda::wgmma_registers<n, b_major>(d, a[step], b, step != 0);
    } else {
      cuda::wgmma_shared<n, a_major, b_major>(
          d, cuda::encode(a_tile.descriptor(cuda::shared_address(a_memory), 0, step * 16)), b, step != 0);
    }
  }
  cuda::wgmma_commit();
  cuda::wgmma_wait<0>(d);
#pragma unroll
  for (int reg = 0; reg < n / 2; ++reg) {
    const cuda::Place place = cuda::wgmma_d_place({static_cast<int>(threadIdx.x), reg, 0});
    out[place.row * n + place.col] = d[reg];
  }
}

template <int n, ASource a_source, cuda::Major b_major>
void observe_swizzles(Report& report) {
  std::vector<int> expected(64 * n);
  for (int m = 0; m < 64; ++m) {
    for (int i = 0; i < n; ++i) {
      for (int k = 0; k < kProductK; ++k) expected[m * n + i] += product_value(0, m, k) * product_value(1, i, k);
    }
  }
  for (const cuda::Swizzle swizzle : kSwizzles) {
    constexpr cuda::Major a_major = a_source == ASource::shared_mn ? cuda::Major::mn : cuda::Major::k;
    const size_t shared = cuda::WgmmaTile{a_major, swizzle, 64, kProductK}.bytes() +
                          cuda::WgmmaTile{b_major, swizzle, n, kProductK}.bytes();
    Buffer<float> out(64 * n, 0xFF);
    launch(context, wgmma_product<n, a_source, b_major>, {dim3(1), dim3(cuda::kWarpgroup), shared}, swizzle,
           out.data());
    finish("wgmma_product, n " + std::to_string(n));
    const std::vector<float> got = out.read();
    int wrong = 0;
    for (int i = 0; i < 64 * n; ++i) wrong += !(got[i] == static_cast<float>(expected[i]));
    write_product(report, {n, a_source, b_major, swizzle}, wrong);
  }
}

template <int n>
void observe_size(Report& report) {
  observe_swizzles<n, ASource::registers, cuda::Major::k>(report);
  observe_swizzles<n, ASource::registers, cuda::Major::mn>(report);
  observe_swizzles<n, ASource::shared_k, cuda::Major::k>(report);
  observe_swizzles<n, ASource::shared_k, cuda::Major::mn>(report);
  observe_swizzles<n, ASource::shared_mn, cuda::Major::k>(report);
  observe_swizzles<n, ASource::shared_mn, cuda::Major::mn>(report);
}

void observe_wgmma_products(Report& report) {
  observe_size<8>(report);
  observe_size<64>(report);
  observe_size<80>(report);
  observe_size<88>(report);
  observe_size<96>(report);
  observe_size<128>(report);
  observe_size<160>(report);
  observe_size<176>(report);
  observe_size<192>(report);
  observe_size<208>(report);
  observe_size<256>(report);
}

}  // namespace videomae::probe
