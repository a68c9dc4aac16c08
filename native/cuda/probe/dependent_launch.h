// Programmatic dependent launch: what the second of two kernels sees of the first one's writes behind the wait, over
// many rounds. Whether it began before the first had ended is a matter of time, and only noted.
#pragma once

#include "cuda/probe/report.h"

namespace videomae::probe {

constexpr int kDependentRounds = 20, kDependentBlocks = 8, kDependentThreads = 128;
constexpr int kDependentElements = kDependentBlocks * kDependentThreads;

/// @param wrong  elements that did not hold the first kernel's last write behind the wait
/// @param early  rounds in which the first kernel saw that the second had begun
inline void write_dependent_launch(Report& report, bool attribute, int wrong, int early) {
  report.line("%s attribute: %d of %d elements wrong behind the wait", attribute ? "with the" : "without the", wrong,
              kDependentRounds * kDependentElements);
  if (!attribute) report.line("without the attribute: the second kernel began early in %d rounds", early);
  if (attribute)
    report.note("with the attribute: the second kernel began early in %d of %d rounds", early, kDependentRounds);
}

}  // namespace videomae::probe
