// The operands of wgmma m64nNk16 (bf16 in, f32 out): its register fragments, the 64-bit descriptor of an operand in
// shared memory, and the shared-memory tiles that descriptors can describe.
//
// Source: PTX ISA, "Register Fragments and Shared Memory Matrix Layouts" of wgmma (canonical layouts, strides, matrix
// descriptor format).
#pragma once

#include <cstdint>

#include "cuda/device/mma_layout.h"
#include "cuda/device/swizzle.h"

namespace videomae::cuda {

constexpr int kWarpgroup = 128;

/// A in registers, 64 x 16 (row m, col k): warp w of the warpgroup holds rows 16 w .. 16 w + 15 as mma.sync would.
VIDEOMAE_HOST_DEVICE constexpr Place wgmma_a_place(Slot s) {
  const Place p = mma_a_place({s.lane % 32, s.reg, s.half});
  return {16 * (s.lane / 32) + p.row, p.col};
}
VIDEOMAE_HOST_DEVICE constexpr Slot wgmma_a_slot(Place p) {
  const Slot s = mma_a_slot({p.row % 16, p.col});
  return {32 * (p.row / 16) + s.lane, s.reg, s.half};
}

/// D, 64 x N (row m, col n), N / 2 registers of one f32: N / 8 fragments of mma.sync side by side.
VIDEOMAE_HOST_DEVICE constexpr Place wgmma_d_place(Slot s) {
  const Place p = mma_d_place({s.lane % 32, s.reg % 4, 0});
  return {16 * (s.lane / 32) + p.row, 8 * (s.reg / 4) + p.col};
}
VIDEOMAE_HOST_DEVICE constexpr Slot wgmma_d_slot(Place p) {
  const Slot s = mma_d_slot({p.row % 16, p.col % 8});
  return {32 * (p.row / 16) + s.lane, 4 * (p.col / 8) + s.reg, 0};
}

/// Which index of an operand is contiguous in shared memory: k, or m (of A) and n (of B), which is called mn here.
enum class Major { k = 0, mn = 1 };

/// What a descriptor says. Addresses and offsets in bytes, multiples of 16, below 2^18.
struct WgmmaDescriptor {
  uint32_t start;           ///< shared address of the first element
  uint32_t leading_offset;  ///< LBO; not used for a swizzled operand with k contiguous
  uint32_t stride_offset;   ///< SBO
  uint32_t base_offset;     ///< 0 when the swizzle pattern begins at a multiple of its period
  Swizzle swizzle;
};

VIDEOMAE_HOST_DEVICE constexpr uint64_t encode(const WgmmaDescriptor& d) {
  const auto field = [](uint32_t bytes) { return static_cast<uint64_t>((bytes & 0x3FFFF) >> 4); };
  return field(d.start) | field(d.leading_offset) << 16 | field(d.stride_offset) << 32 |
         static_cast<uint64_t>(d.base_offset & 7) << 49 | static_cast<uint64_t>(d.swizzle) << 62;
}

VIDEOMAE_HOST_DEVICE constexpr WgmmaDescriptor decode(uint64_t bits) {
  const auto bytes = [bits](int shift) { return static_cast<uint32_t>(bits >> shift & 0x3FFF) << 4; };
  return {bytes(0), bytes(16), bytes(32), static_cast<uint32_t>(bits >> 49 & 7), static_cast<Swizzle>(bits >> 62)};
}

/// The shared address that the tensor core reads for element (mn, k), k in 0 .. 15, base offset 0.
VIDEOMAE_HOST_DEVICE constexpr uint32_t wgmma_address(const WgmmaDescriptor& d, Major major, uint32_t mn, uint32_t k) {
  const uint32_t span = swizzle_span(d.swizzle);
  if (major == Major::k) {
    // (mn % 8) rows of one span, then SBO; a swizzled row holds all of k, without a swizzle its second half is at LBO.
    const uint32_t row = mn % 8 * span + mn / 8 * d.stride_offset;
    const uint32_t col = d.swizzle == Swizzle::none ? k % 8 * 2 + k / 8 * d.leading_offset : k * 2;
    return swizzled(d.start + row + col, d.swizzle);
  }
  // (k % 8) rows of one span of mn. Swizzled: LBO to the next span of mn, SBO to the next 8 k; without: the reverse.
  const uint32_t next_mn = d.swizzle == Swizzle::none ? d.stride_offset : d.leading_offset;
  const uint32_t next_k = d.swizzle == Swizzle::none ? d.leading_offset : d.stride_offset;
  const uint32_t width = span / 2;
  return swizzled(d.start + mn % width * 2 + mn / width * next_mn + k % 8 * span + k / 8 * next_k, d.swizzle);
}

/// A bf16 tile in shared memory, mn_size x k_size, as boxes of the copy engine leave it: blocks that are one swizzle
/// span wide along the contiguous index and hold the whole other index, a row a span. Without a swizzle a span is 16
/// bytes. The tile begins at a multiple of swizzle_period(swizzle).
struct WgmmaTile {
  Major major;
  Swizzle swizzle;
  uint32_t mn_size, k_size;

  /// Elements of the contiguous index in one block.
  VIDEOMAE_HOST_DEVICE constexpr uint32_t width() const { return swizzle_span(swizzle) / 2; }

  VIDEOMAE_HOST_DEVICE constexpr uint32_t block_bytes() const {
    return swizzle_span(swizzle) * (major == Major::k ? mn_size : k_size);
  }

  VIDEOMAE_HOST_DEVICE constexpr uint32_t bytes() const {
    const uint32_t contiguous = major == Major::k ? k_size : mn_size;
    return (contiguous + width() - 1) / width() * block_bytes();
  }

  /// Byte offset of element (mn, k) from the tile's beginning.
  VIDEOMAE_HOST_DEVICE constexpr uint32_t offset(uint32_t mn, uint32_t k) const {
    const uint32_t inner = major == Major::k ? k : mn, outer = major == Major::k ? mn : k;
    return swizzled(inner / width() * block_bytes() + outer * swizzle_span(swizzle) + inner % width() * 2, swizzle);
  }

  /// Describes the operand that begins at (mn, k) of the tile at shared address `base`. k is a multiple of 16; mn is a
  /// multiple of 8 when k is contiguous, and of width() when mn is.
  VIDEOMAE_HOST_DEVICE constexpr WgmmaDescriptor descriptor(uint32_t base, uint32_t mn, uint32_t k) const {
    const uint32_t inner = major == Major::k ? k : mn, outer = major == Major::k ? mn : k;
    // The swizzle is a function of the address, so the operand's beginning is given without it.
    const uint32_t start = base + inner / width() * block_bytes() + outer * swizzle_span(swizzle) + inner % width() * 2;
    // A swizzled operand with k contiguous lies in one block: the documentation has 1 in the field, which is 16 bytes.
    const bool one_block = major == Major::k && swizzle != Swizzle::none;
    const uint32_t between_blocks = one_block ? 16 : block_bytes(), between_rows = swizzle_period(swizzle);
    const bool swapped = swizzle == Swizzle::none && major == Major::mn;
    return {start, swapped ? between_rows : between_blocks, swapped ? between_blocks : between_rows, 0, swizzle};
  }
};

}  // namespace videomae::cuda
