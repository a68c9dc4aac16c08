// mbarriers of the emulator. Their state is kept beside shared memory; the eight bytes there only mark the place, and
// may not be touched while the barrier lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "cuda/emu/happens_before.h"

namespace videomae::cuda::emu {

struct Fiber;

struct MbarrierState {
  uint32_t count;     // arrivals a phase
  uint32_t missing;   // of the current one
  int64_t bytes = 0;  // expected and not come; negative when they came before they were expected
  uint32_t phase = 0;
  uint32_t initialiser;       // thread of the cluster
  bool fenced = false;        // visible to the copy engine
  VectorClock current, over;  // what arrivals of this phase, and of those before, have told
  std::vector<Fiber*> waiting;
};

/// A block's barriers by their offset in shared memory.
using Mbarriers = std::map<size_t, MbarrierState>;

void mbarrier_init(void* barrier, uint32_t arrivals);
void fence_mbarrier_init();
void mbarrier_invalidate(void* barrier);
void mbarrier_arrive(void* barrier, uint32_t expect_bytes);
void mbarrier_expect(void* barrier, uint32_t bytes);
/// When the answer is no, others are let run first.
bool mbarrier_test(void* barrier, uint32_t parity);
void mbarrier_wait(void* barrier, uint32_t parity);

// ---- for copies ----

/// The barrier at an address of the running thread's block, as the copy engine sees it.
MbarrierState& mbarrier_of_copy(void* barrier);
/// Bytes that `issuer` has asked for have come.
void mbarrier_complete(MbarrierState& barrier, uint32_t bytes, Stamp issuer);

}  // namespace videomae::cuda::emu
