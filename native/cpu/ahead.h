// Memory that will be wanted soon. A multiplication loop asks for it while it runs, two cache lines a step, which hides
// the latency of memory and of the third-level cache behind the multiplications. A request never faults.
#pragma once

#include "cpu/vectors.h"

namespace videomae {

/// Where those lines lie: kTurn steps `step` bytes apart, then again so from `turn` bytes further on; each step also
/// asks for the line `second` bytes after its own.
struct Ahead {
  static constexpr int kTurn = 16;

  const char* at;
  int64_t second, step, turn;

  /// No wish: the line at `near`, which is at hand, again and again.
  VIDEOMAE_INLINE Ahead nothing(const void* near) { return {static_cast<const char*>(near), 0, 0, 0}; }
  /// One line after another.
  VIDEOMAE_INLINE Ahead along(const char* at) { return {at, 0, 64, 64 * kTurn}; }

  /// step() so many times, and the requests of each; the steps of a last turn that is not whole ask for nothing.
  template <class Step>
  VIDEOMAE_INLINE void run(const Ahead& ahead, int64_t steps, Step&& step) {
    const int64_t second = ahead.second, pitch = ahead.step, turn_pitch = ahead.turn;
    for (const char* turn = ahead.at; steps >= kTurn; steps -= kTurn, turn += turn_pitch) {
      const char* line = turn;
#pragma GCC unroll 4
      for (int i = 0; i < kTurn; ++i, line += pitch) {
        step();
        __builtin_prefetch(line, 0, 2), __builtin_prefetch(line + second, 0, 2);
      }
    }
    for (; steps > 0; --steps) step();
  }
};

}  // namespace videomae
