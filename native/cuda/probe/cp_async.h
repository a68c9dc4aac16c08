// cp.async: how many bytes of a copy are read and what becomes of the rest, for every size and every valid count; and
// which groups are over after a wait.
#pragma once

#include <vector>

#include "cuda/probe/report.h"

namespace videomae::probe {

/// Bytes behind the destination that must stay as they were.
constexpr int kCpAsyncGuard = 4;
constexpr int kCpAsyncPoison = 0xEE;
/// Groups of four copies of 16 bytes a thread in the second part.
constexpr int kCpAsyncGroups = 4, kCpAsyncThreads = 64;

/// Source byte i is i + 1.
constexpr int cp_async_source(int i) { return i + 1; }

/// @param landed  for valid = 0 .. bytes: the bytes of the destination and of the guard
inline void write_cp_async_fill(Report& report, int bytes, const std::vector<int>& landed) {
  report.table("cp.async of " + std::to_string(bytes) + " bytes, a row a valid count: destination and what lies behind",
               landed, bytes + kCpAsyncGuard);
}

/// @param wrong  words of the groups that must be over which do not hold their data
inline void write_cp_async_wait(Report& report, int pending, int wrong) {
  report.line("wait_group %d: of %d groups the first %d are over, %d wrong words", pending, kCpAsyncGroups,
              kCpAsyncGroups - pending, wrong);
}

}  // namespace videomae::probe
