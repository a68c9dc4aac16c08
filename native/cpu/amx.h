// The tile instructions of AMX, one function each: eight registers, tmm0 to tmm7, of 16 rows of 64 bytes. In assembly,
// so that the compiler knows that they read and write memory and moves no plain access across them.
//   multiply<c, a, b>(): c[i][j] += sum over p < 16 of a[i][2p] b[p][2j] + a[i][2p + 1] b[p][2j + 1]; a and b hold
//   bf16, c floats. b has pairs of neighbours along k side by side.
#pragma once

#include <cstdint>

#include "cpu/vectors.h"

namespace videomae::amx {

/// While it lives, the calling thread has the tiles. The system saves them at every switch of threads, so it is short.
class Session {
 public:
  [[gnu::always_inline]] Session() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } shape;
    asm volatile("ldtilecfg %0" ::"m"(shape));
  }
  [[gnu::always_inline]] ~Session() { asm volatile("tilerelease" ::: "memory"); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

template <int tile>
VIDEOMAE_INLINE void zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(tile));
}

/// Rows `pitch` bytes apart.
template <int tile>
VIDEOMAE_INLINE void load(const void* from, int64_t pitch) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(pitch), "i"(tile) : "memory");
}

/// The same for memory that will not be read again soon, and should not push other memory out of the cache.
template <int tile>
VIDEOMAE_INLINE void load_passing(const void* from, int64_t pitch) {
  asm volatile("tileloaddt1 (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(pitch), "i"(tile) : "memory");
}

template <int tile>
VIDEOMAE_INLINE void store(void* to, int64_t pitch) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(pitch), "i"(tile) : "memory");
}

template <int c, int a, int b>
VIDEOMAE_INLINE void multiply() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
}

}  // namespace videomae::amx
