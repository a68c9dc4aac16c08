// Memory that will be wanted soon. A multiplication loop asks for it while it runs, two cache lines a step, which hides
// the latency of memory and of the third-level cache behind the multiplications. A request never faults.
#pragma once

#include <cstdint>

namespace videomae {

/// Where those lines lie: kTurn steps `step` bytes apart, then again so from `turn` bytes further on; each step also
/// asks for the line `second` bytes after its own.
struct Ahead {
  static constexpr int kTurn = 16;

  const char* at;
  int64_t second, step, turn;

  /// No wish: the line at `near`, which is at hand, again and again.
  static Ahead nothing(const void* near) { return {static_cast<const char*>(near), 0, 0, 0}; }
  /// One line after another.
  static Ahead along(const char* at) { return {at, 0, 64, 64 * kTurn}; }
};

}  // namespace videomae
