// Barriers of a block and of a warp.
#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {

void block_sync() {
  Block& block = *scheduler.current->block;
  Barrier& barrier = block.barriers[0];
  const uint32_t threads = static_cast<uint32_t>(block.fibers.size());
  if (++barrier.arrived == threads) {
    barrier.arrived = 0;
    for (Fiber* fiber : barrier.waiting) scheduler.wake(*fiber);
    barrier.waiting.clear();
    scheduler.wake(*scheduler.current);
  } else {
    barrier.waiting.push_back(scheduler.current);
  }
  scheduler.wait("block_sync");
}

void warp_sync() {
  static constexpr Collective collective{"warp_sync", [](void* const*) {}};
  together(collective, nullptr);
}

}  // namespace videomae::cuda::emu
