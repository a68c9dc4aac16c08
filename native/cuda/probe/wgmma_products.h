// wgmma's products: D = A B over K = 64 in four chained steps, small random integers, exact in f32, against a matrix
// product on the host. Every N of kernels, A in registers and in shared memory, every contiguity and swizzle.
#pragma once

#include <vector>

#include "cuda/probe/wgmma_operands.h"

namespace videomae::probe {

constexpr int kProductSizes[] = {8, 64, 80, 88, 96, 128, 160, 176, 192, 208, 256};
constexpr int kProductK = 64;
/// Where A lies.
enum class ASource { registers, shared_k, shared_mn };
constexpr ASource kASources[] = {ASource::registers, ASource::shared_k, ASource::shared_mn};

struct ProductCase {
  int n;
  ASource a;
  cuda::Major b;
  cuda::Swizzle swizzle;  // of both operands
};

/// @param wrong  elements of the 64 x n product that are not the host's
inline void write_product(Report& report, const ProductCase& one, int wrong) {
  const char* a = one.a == ASource::registers ? "registers" : one.a == ASource::shared_k ? "shared, k" : "shared, mn";
  report.line("n %3d, A %-10s, B %-2s contiguous, swizzle %3u: %d of %d wrong", one.n, a,
              one.b == cuda::Major::k ? "k" : "mn",
              one.swizzle == cuda::Swizzle::none ? 0 : cuda::swizzle_span(one.swizzle), wrong, 64 * one.n);
}

/// The integer at (row, k) of A (`which` 0) or B (1): -8 .. 8.
VIDEOMAE_HOST_DEVICE constexpr int product_value(int which, int row, int k) {
  uint32_t bits = static_cast<uint32_t>(which * 7919 + row * 64 + k) * 0x9E3779B9u;
  bits ^= bits >> 15;
  bits *= 0x85EBCA6Bu;
  return static_cast<int>((bits >> 16) % 17) - 8;
}

}  // namespace videomae::probe
