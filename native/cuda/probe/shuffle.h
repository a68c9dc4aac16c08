// Shuffles: which lane each lane hears.
#pragma once

#include <vector>

#include "cuda/probe/report.h"

namespace videomae::probe {

constexpr int kShuffleArguments = 6;
/// Arguments of every form: a lane, a mask, or a distance.
constexpr int kShuffleArgument[kShuffleArguments] = {0, 1, 2, 4, 16, 31};
enum ShuffleForm { kFromLane, kXor, kDown, kShuffleForms };
constexpr const char* kShuffleNames[] = {"from lane", "xor", "down"};

/// @param heard  (arguments, 32)
inline void write_shuffle(Report& report, int form, const std::vector<int>& heard) {
  report.table(std::string("shuffle ") + kShuffleNames[form] + ", a row for each of 0 1 2 4 16 31", heard, 32);
}

}  // namespace videomae::probe
