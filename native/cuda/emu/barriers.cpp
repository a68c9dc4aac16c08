// Barriers of a block and of a warp.
#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {

void block_sync() {
  Block& block = *scheduler.current->block;
  Barrier& barrier = block.barriers[0];
  const uint32_t threads = static_cast<uint32_t>(block.fibers.size());
  if (++barrier.arrived == threads) {
    barrier.arrived = 0;
    block.shadow.begin_epoch();
    for (Fiber* fiber : barrier.waiting) scheduler.wake(*fiber);
    barrier.waiting.clear();
    scheduler.wake(*scheduler.current);
  } else {
    barrier.waiting.push_back(scheduler.current);
  }
  scheduler.wait("block_sync");
}

namespace {

/// What the lanes did before has happened before what they do next.
void order_warp(void* const*) {
  Fiber* lanes = scheduler.current->warp->lanes;
  uint32_t latest = 0;
  VectorClock known;
  for (int lane = 0; lane < 32; ++lane) {
    latest = std::max(latest, lanes[lane].clock.now);
    if (!lanes[lane].clock.known.empty()) known.learn(lanes[lane].clock.known);
  }
  for (int lane = 0; lane < 32; ++lane) {
    ThreadClock& clock = lanes[lane].clock;
    clock.now = clock.warp_since = latest + 1;
    if (!known.empty()) clock.known.learn(known);
  }
}

}  // namespace

void warp_sync() {
  static constexpr Collective collective{"warp_sync", order_warp};
  together(collective, nullptr);
}

}  // namespace videomae::cuda::emu
