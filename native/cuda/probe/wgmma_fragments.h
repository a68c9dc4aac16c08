// wgmma with A in registers: the whole structure at N = 8, and the registers of D at N = 64. Numbers of the places in
// registers: number_of() with 128 threads; A has 4 pairs, D N / 4. B lies in shared memory without a swizzle, k
// contiguous; its places are told as element (16-bit) numbers of that memory.
#pragma once

#include <vector>

#include "cuda/device/wgmma_layout.h"
#include "cuda/probe/codes.h"
#include "cuda/probe/report.h"

namespace videomae::probe {

constexpr int kWgmmaA = 64 * 16;

/// B of N = `n` in shared memory.
VIDEOMAE_HOST_DEVICE constexpr cuda::WgmmaTile fragment_tile(uint32_t n) {
  return {cuda::Major::k, cuda::Swizzle::none, n, 16};
}

/// @param met  (kWgmmaA, 64 * 8): the B place that arrives at each D place when only one place of A is 1; -1 for none
inline void write_wgmma_structure(Report& report, const std::vector<int>& met) {
  constexpr int kD = 64 * 8;
  std::vector<int> hits, d_places, b_places;
  for (int a = 0; a < kWgmmaA; ++a) {
    int count = 0;
    for (int d = 0; d < kD; ++d) {
      const int b = met[a * kD + d];
      if (b != kNothing && ++count <= 8) d_places.push_back(d), b_places.push_back(b);
    }
    hits.push_back(count);
    while (d_places.size() < hits.size() * 8) d_places.push_back(kNothing), b_places.push_back(kNothing);
  }
  report.table("m64n8k16: products of each place of A", hits, kWgmmaA);
  report.table("m64n8k16: D places of each place of A", d_places, 8);
  report.table("m64n8k16: B places of each place of A, in the order of D", b_places, 8);
}

/// @param met  (kWgmmaA, 64 * 64), likewise at N = 64
inline void write_wgmma_d(Report& report, const std::vector<int>& met) {
  constexpr int kD = 64 * 64;
  std::vector<int> hits(kD, 0), first_a(kD, kNothing), first_b(kD, kNothing);
  for (int a = 0; a < kWgmmaA; ++a) {
    for (int d = 0; d < kD; ++d) {
      const int b = met[a * kD + d];
      if (b == kNothing) continue;
      if (hits[d]++ == 0) first_a[d] = a;
      if (first_b[d] == kNothing || b < first_b[d]) first_b[d] = b;
    }
  }
  report.table("m64n64k16: products that arrive at each D place", hits, kD);
  report.table("m64n64k16: first A place that arrives at each D place, a row a pair of registers", first_a, 256);
  report.table("m64n64k16: first B place that arrives at each D place, a row a pair of registers", first_b, 256);
}

}  // namespace videomae::probe
