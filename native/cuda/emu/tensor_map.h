// Tensor maps of the emulator, under CUDA's name: plain data where the driver has an opaque encoding.
#pragma once

#include <cstdint>

#include "cuda/device/swizzle.h"

/// What the copy engine knows about a tensor of bf16 and its boxes.
struct alignas(64) CUtensorMap {
  unsigned char* global;
  int rank;
  uint64_t size[3], stride_bytes[2];
  uint32_t box[3];
  videomae::cuda::Swizzle swizzle;
  uint16_t fill;  // of elements outside
};

namespace videomae::cuda::emu {

/// Checks what cuTensorMapEncodeTiled checks.
/// @throws std::runtime_error for what it refuses
CUtensorMap tensor_map(const void* global, int rank, const uint64_t* size, const uint64_t* stride_bytes,
                       const uint32_t* box, Swizzle swizzle, bool fill_nan);

void tma_load(void* shared, const CUtensorMap& map, int x, int y, int z, int rank, void* mbarrier);
void tma_store(const CUtensorMap& map, int x, int y, int z, int rank, const void* shared);

}  // namespace videomae::cuda::emu
