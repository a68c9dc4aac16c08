// The elements at wgmma_address() are the operand; all others reach nothing.
#include "cuda/probe/wgmma_operands.h"

#include "cuda/probe/probe.h"

namespace videomae::probe {
namespace {

int d_number(int m, int n) {
  const cuda::Slot d = cuda::wgmma_d_slot({m, n});
  return number_of(128, d.lane, d.reg / 2, d.reg % 2);
}

void add(Reached& reached, int d_place, int other) {
  ++reached.products;
  if (reached.d_place == kNothing || d_place < reached.d_place) reached.d_place = d_place, reached.other = other;
}

std::vector<Reached> expect_a(cuda::Major major, cuda::Swizzle swizzle) {
  const cuda::WgmmaTile tile = operand_tile(major, swizzle, 64);
  const cuda::WgmmaDescriptor descriptor = tile.descriptor(0, 0, kOperandK);
  std::vector<Reached> reached(tile.bytes() / 2);
  for (int m = 0; m < 64; ++m) {
    for (int k = 0; k < 16; ++k) {
      Reached& one = reached[cuda::wgmma_address(descriptor, major, m, k) / 2];
      for (int n = 0; n < 8; ++n) add(one, d_number(m, n), static_cast<int>(other_tile().offset(n, k) / 2));
    }
  }
  return reached;
}

std::vector<Reached> expect_b(cuda::Major major, cuda::Swizzle swizzle) {
  const cuda::WgmmaTile tile = operand_tile(major, swizzle, kOperandB);
  const cuda::WgmmaDescriptor descriptor = tile.descriptor(0, 0, kOperandK);
  std::vector<Reached> reached(tile.bytes() / 2);
  for (int n = 0; n < kOperandB; ++n) {
    for (int k = 0; k < 16; ++k) {
      Reached& one = reached[cuda::wgmma_address(descriptor, major, n, k) / 2];
      for (int m = 0; m < 64; ++m) {
        const cuda::Slot a = cuda::wgmma_a_slot({m, k});
        add(one, d_number(m, n), number_of(128, a.lane, a.reg, a.half));
      }
    }
  }
  return reached;
}

}  // namespace

void expect_wgmma_operands(Report& report) {
  for (const cuda::Major major : kMajors) {
    for (const cuda::Swizzle swizzle : kSwizzles) {
      write_operand(report, 'A', major, swizzle, expect_a(major, swizzle));
      write_operand(report, 'B', major, swizzle, expect_b(major, swizzle));
    }
  }
}

}  // namespace videomae::probe
