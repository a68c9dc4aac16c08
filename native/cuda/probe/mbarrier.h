// mbarrier: what test_wait answers for both parities after each step of a script, over several phases, with arrivals,
// expected bytes and bytes that a bulk copy brings.
#pragma once

#include <vector>

#include "cuda/probe/report.h"

namespace videomae::probe {

enum class MbarrierAct {
  init,    ///< argument: arrivals a phase
  arrive,  ///< argument: how many
  expect,  ///< argument: bytes; no arrival
  arrive_expect,
  copy,  ///< argument: bytes, a multiple of 16: starts a bulk copy that brings them
  wait,  ///< argument: the parity to wait for; makes sure that what was started has come
};

struct MbarrierStep {
  MbarrierAct act;
  int argument;
  const char* told;
};

/// A copy is always followed by a wait for the phase that it ends, so that no answer is a matter of time.
constexpr MbarrierStep kMbarrierScript[] = {
    {MbarrierAct::init, 2, "init 2"},
    {MbarrierAct::arrive, 1, "arrive"},
    {MbarrierAct::arrive, 1, "arrive"},
    {MbarrierAct::arrive, 1, "arrive"},
    {MbarrierAct::arrive, 1, "arrive"},
    {MbarrierAct::arrive, 1, "arrive"},
    {MbarrierAct::arrive_expect, 64, "arrive.expect_tx 64"},
    {MbarrierAct::copy, 64, "copy 64"},
    {MbarrierAct::wait, 0, "wait 0"},
    {MbarrierAct::expect, 32, "expect_tx 32"},
    {MbarrierAct::arrive, 2, "arrive twice"},
    {MbarrierAct::copy, 32, "copy 32"},
    {MbarrierAct::wait, 1, "wait 1"},
    {MbarrierAct::arrive_expect, 16, "arrive.expect_tx 16"},
    {MbarrierAct::arrive_expect, 48, "arrive.expect_tx 48"},
    {MbarrierAct::copy, 64, "copy 64"},
    {MbarrierAct::wait, 0, "wait 0"},
    {MbarrierAct::init, 1, "inval, init 1"},
    {MbarrierAct::arrive, 1, "arrive"},
    {MbarrierAct::arrive, 1, "arrive"},
    {MbarrierAct::arrive, 1, "arrive"},
};
constexpr int kMbarrierSteps = sizeof(kMbarrierScript) / sizeof(kMbarrierScript[0]);

/// Threads and phases of the second part: all arrive, all wait, each reads its neighbour's value.
constexpr int kMbarrierThreads = 256, kMbarrierPhases = 20;

/// What is asked after a step. After a copy nothing is: the answer depends on time.
constexpr bool mbarrier_asked(const MbarrierStep& step) { return step.act != MbarrierAct::copy; }

/// @param over  for each step: bit p set when test_wait of parity p said yes, bit 2 + p for try_wait
inline void write_mbarrier(Report& report, const std::vector<int>& over, int wrong, int bytes_wrong) {
  for (int i = 0; i < kMbarrierSteps; ++i) {
    if (!mbarrier_asked(kMbarrierScript[i])) continue;
    const auto word = [&](int bit) { return over[i] >> bit & 1 ? "over" : "not over"; };
    report.line("%-22s test_wait 0: %-8s 1: %-8s try_wait 0: %-8s 1: %s", kMbarrierScript[i].told, word(0), word(1),
                word(2), word(3));
  }
  report.line("copied bytes that are wrong: %d", bytes_wrong);
  report.line("%d threads over %d phases: %d wrong reads", kMbarrierThreads, kMbarrierPhases, wrong);
}

}  // namespace videomae::probe
