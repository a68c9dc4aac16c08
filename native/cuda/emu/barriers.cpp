// Barriers of a block, named or not, and of a warp.
#include "cuda/emu/named_barrier.h"
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

constexpr const char* kNames[16] = {"barrier 0",  "barrier 1",  "barrier 2",  "barrier 3", "barrier 4",  "barrier 5",
                                    "barrier 6",  "barrier 7",  "barrier 8",  "barrier 9", "barrier 10", "barrier 11",
                                    "barrier 12", "barrier 13", "barrier 14", "barrier 15"};

void arrive(int number, int threads, bool stays) {
  Fiber& me = *scheduler.current;
  if (number < 1 || number > 15) fail("a named barrier from 1 to 15", "%d", number);
  if (threads < 32 || threads % 32 || threads > static_cast<int>(me.block->fibers.size())) {
    fail("whole warps at a named barrier, at most the block's", "%d threads", threads);
  }
  Barrier& barrier = me.block->barriers[number];
  if (barrier.expected && barrier.expected != static_cast<uint32_t>(threads)) {
    fail("one count of threads at a named barrier", "%d where others said %u", threads, barrier.expected);
  }
  barrier.expected = static_cast<uint32_t>(threads);
  me.clock.release(barrier.arrivals);
  if (++barrier.arrived < barrier.expected) {
    if (!stays) return;
    barrier.waiting.push_back(&me);
    return scheduler.wait(kNames[number]);
  }
  for (Fiber* fiber : barrier.waiting) {
    fiber->clock.acquire(barrier.arrivals);
    scheduler.wake(*fiber);
  }
  if (stays) me.clock.acquire(barrier.arrivals);
  barrier.waiting.clear(), barrier.arrivals.clear();
  barrier.expected = barrier.arrived = 0;
  if (!stays) return;
  scheduler.wake(me);
  scheduler.wait(kNames[number]);
}

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

void named_barrier_sync(int barrier, int threads) { arrive(barrier, threads, true); }
void named_barrier_arrive(int barrier, int threads) { arrive(barrier, threads, false); }

void warp_sync() {
  static constexpr Collective collective{"warp_sync", order_warp};
  together(collective, nullptr);
}

}  // namespace videomae::cuda::emu
