// mma.sync m16n8k16: its whole structure. Numbers of the places in registers: number_of() with 32 threads; A has 4
// pairs, B 2, D 2.
#pragma once

#include <vector>

#include "cuda/probe/codes.h"
#include "cuda/probe/report.h"

namespace videomae::probe {

constexpr int kMmaA = 256, kMmaB = 128, kMmaD = 128;

struct MmaStructure {
  /// For each place of A: the B place that arrives at each D place when only this place of A is 1; -1 for none.
  std::vector<int> met = std::vector<int>(kMmaA * kMmaD, kNothing);
  /// For each D place: the C place that is added to it.
  std::vector<int> added = std::vector<int>(kMmaD, kNothing);
};

inline void write(Report& report, const MmaStructure& structure) {
  std::vector<int> hits, d_places, b_places;
  for (int a = 0; a < kMmaA; ++a) {
    int count = 0;
    for (int d = 0; d < kMmaD; ++d) {
      const int b = structure.met[a * kMmaD + d];
      if (b == kNothing) continue;
      if (++count <= 8) d_places.push_back(d), b_places.push_back(b);
    }
    hits.push_back(count);
    while (d_places.size() < hits.size() * 8) d_places.push_back(kNothing), b_places.push_back(kNothing);
  }
  report.table("products of each place of A", hits, kMmaA);
  report.table("D places of each place of A", d_places, 8);
  report.table("B places of each place of A, in the order of D", b_places, 8);
  report.table("C place added to each D place", structure.added, kMmaD);
}

}  // namespace videomae::probe
