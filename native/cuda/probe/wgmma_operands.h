// wgmma's operands in shared memory: for each 16-bit element of the memory around an operand, which place of D its
// products reach first, which element of the other operand they met there, and how many they are. A is 64 x 16; B is
// 16 x 128, so that both strides of a descriptor show. All swizzles, k and mn contiguous; the operand begins at k = 16
// of its tile, so that it begins inside the swizzle's pattern.
#pragma once

#include <vector>

#include "cuda/device/wgmma_layout.h"
#include "cuda/probe/codes.h"
#include "cuda/probe/report.h"

namespace videomae::probe {

constexpr cuda::Swizzle kSwizzles[] = {cuda::Swizzle::none, cuda::Swizzle::b32, cuda::Swizzle::b64,
                                       cuda::Swizzle::b128};
constexpr cuda::Major kMajors[] = {cuda::Major::k, cuda::Major::mn};
constexpr int kOperandB = 128;  // N of B's part
constexpr int kOperandK = 16;   // where the operand begins

/// The tile that holds an operand of `mn` rows or columns.
VIDEOMAE_HOST_DEVICE constexpr cuda::WgmmaTile operand_tile(cuda::Major major, cuda::Swizzle swizzle, uint32_t mn) {
  return {major, swizzle, mn, 64};
}

/// The other operand of A: B at N = 8, k contiguous, no swizzle, codes by element number of its memory.
VIDEOMAE_HOST_DEVICE constexpr cuda::WgmmaTile other_tile() { return {cuda::Major::k, cuda::Swizzle::none, 8, 16}; }

/// What an element of memory reached: the smallest D place, the other operand's place there, the number of products.
struct Reached {
  int d_place = kNothing, other = kNothing, products = 0;
};

inline std::string operand_title(char operand, cuda::Major major, cuda::Swizzle swizzle) {
  return std::string(1, operand) + ", " + (major == cuda::Major::k ? "k" : "mn") + " contiguous, " +
         (swizzle == cuda::Swizzle::none ? "no" : std::to_string(cuda::swizzle_span(swizzle)) + "-byte") + " swizzle: ";
}

/// @param reached  one an element of the tile's memory
inline void write_operand(Report& report, char operand, cuda::Major major, cuda::Swizzle swizzle,
                          const std::vector<Reached>& reached) {
  std::vector<int> d_place, other, products;
  for (const Reached& one : reached) {
    d_place.push_back(one.d_place), other.push_back(one.other), products.push_back(one.products);
  }
  const size_t row = cuda::swizzle_span(swizzle) / 2;
  const std::string title = operand_title(operand, major, swizzle);
  report.table(title + "first D place", d_place, row);
  report.table(title + "what it met", other, row);
  report.table(title + "products", products, row);
}

}  // namespace videomae::probe
