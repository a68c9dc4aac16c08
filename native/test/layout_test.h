// The checks of the CUDA layouts, as functions of the layout, so that a test can hand them a wrong one.
#pragma once

#include <functional>

#include "cuda/device/wgmma_layout.h"

namespace videomae::test {

/// Where the elements of mma.sync's operands are said to lie.
struct MmaLayout {
  std::function<cuda::Place(cuda::Slot)> a = cuda::mma_a_place, b = cuda::mma_b_place, d = cuda::mma_d_place;
};

/// Whether a 16 x 16 by 16 x 8 product comes out right when operands lie in registers as `layout` says and the tensor
/// core computes with mma_*_slot().
bool multiplies(const MmaLayout& layout);

/// Whether each place of a rows x cols matrix is in exactly one slot, and slot_of leads back to it.
bool is_bijection(int lanes, int registers, int halves, int rows, int cols,
                  const std::function<cuda::Place(cuda::Slot)>& place_of,
                  const std::function<cuda::Slot(cuda::Place)>& slot_of);

using SwizzleFunction = std::function<uint32_t(uint32_t, cuda::Swizzle)>;

/// Whether a swizzle permutes each period, is its own inverse, and moves nothing but whole chunks within their rows.
bool is_swizzle(const SwizzleFunction& swizzled);

/// The most lanes of eight that meet in one bank of a 16-byte access to `addresses`: 1 is free of conflicts.
int bank_conflicts(const uint32_t (&addresses)[8]);

using AddressFunction = std::function<uint32_t(const cuda::WgmmaDescriptor&, cuda::Major, uint32_t, uint32_t)>;

/// Whether `address` finds every element of an operand where WgmmaTile put it, for all kinds of tiles.
bool finds_tiles(const AddressFunction& address);

void layout_cases();

void residency_cases();  // residency_test.cpp

}  // namespace videomae::test
