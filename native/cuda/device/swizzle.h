// The shared-memory swizzles of the copy engine and of wgmma: a permutation of the 16-byte chunks in a row of 32, 64
// or 128 bytes, by the row's number.
//
// In terms of the byte address, the bits that name the chunk are XORed with the bits three places above them:
// 128-byte: bits 4-6 ^= bits 7-9; 64-byte: bits 4-5 ^= bits 7-8; 32-byte: bit 4 ^= bit 7. It is a function of the
// address itself, so a tile has to begin where the pattern does: at a multiple of 1024, 512 or 256 bytes.
// Source: PTX ISA, "Asynchronous Warpgroup Level Matrix Shared Memory Layout" (Swizzle<B, 4, 3>) and "Tensor swizzling
// modes".
#pragma once

#include <cstdint>

#include "cuda/device/host_device.h"

namespace videomae::cuda {

/// The values are those of bits 62-63 of a wgmma descriptor.
enum class Swizzle : uint32_t { none = 0, b128 = 1, b64 = 2, b32 = 3 };

/// Bytes of one row of the pattern; 16, one chunk, without a swizzle.
VIDEOMAE_HOST_DEVICE constexpr uint32_t swizzle_span(Swizzle swizzle) {
  return swizzle == Swizzle::b128 ? 128 : swizzle == Swizzle::b64 ? 64 : swizzle == Swizzle::b32 ? 32 : 16;
}

/// Bytes after which the pattern repeats: where a swizzled tile may begin.
VIDEOMAE_HOST_DEVICE constexpr uint32_t swizzle_period(Swizzle swizzle) { return 8 * swizzle_span(swizzle); }

/// The address at which the byte of a linear address lies; its own inverse.
VIDEOMAE_HOST_DEVICE constexpr uint32_t swizzled(uint32_t address, Swizzle swizzle) {
  const uint32_t chunks = swizzle_span(swizzle) - 16;  // the bits of an address that name a chunk of the row
  return address ^ ((address >> 3) & chunks);
}

}  // namespace videomae::cuda
