#include "cuda/emu/mbarrier.h"

#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
namespace {

constexpr uint32_t kMostArrivals = (1u << 20) - 1, kMostBytes = (1u << 20) - 1;

size_t offset_of(const void* barrier) {
  const SharedMemory& memory = scheduler.current->block->shared;
  if (!memory.holds(barrier, 8)) fail("an mbarrier in the block's shared memory", "one at %p", barrier);
  if (memory.offset(barrier) % 8) fail("an mbarrier at a multiple of 8 bytes", "offset %zu", memory.offset(barrier));
  return memory.offset(barrier);
}

MbarrierState& state_of(const void* barrier, const char* what) {
  Block& block = *scheduler.current->block;
  const size_t offset = offset_of(barrier);
  const auto found = block.mbarriers.find(offset);
  if (found == block.mbarriers.end()) fail("an initialised mbarrier", "%s of the one at offset %zu", what, offset);
  block.shadow.check_barrier(offset);
  return found->second;
}

void settle(MbarrierState& barrier) {
  if (barrier.missing || barrier.bytes) return;
  ++barrier.phase, barrier.missing = barrier.count;
  barrier.over.learn(barrier.current);
  for (Fiber* fiber : barrier.waiting) scheduler.wake(*fiber);
  barrier.waiting.clear();
}

bool over(MbarrierState& barrier, uint32_t parity) {
  if (parity > 1) fail("the parity 0 or 1", "%u", parity);
  if (barrier.phase % 2 == parity) return false;
  scheduler.current->clock.acquire(barrier.over);
  return true;
}

void add_bytes(MbarrierState& barrier, uint32_t bytes) {
  barrier.bytes += bytes;
  if (barrier.bytes > kMostBytes)
    fail("at most 2^20 - 1 bytes expected of an mbarrier", "%lld", static_cast<long long>(barrier.bytes));
}

}  // namespace

void mbarrier_init(void* barrier, uint32_t arrivals) {
  Block& block = *scheduler.current->block;
  const size_t offset = offset_of(barrier);
  if (!arrivals || arrivals > kMostArrivals) fail("1 to 2^20 - 1 arrivals", "%u", arrivals);
  if (block.mbarriers.count(offset)) fail("mbarrier_invalidate() before another mbarrier_init()", "offset %zu", offset);
  block.shadow.make_barrier(offset);
  MbarrierState made{};
  made.count = made.missing = arrivals;
  made.initialiser = scheduler.current->clock.thread;
  block.mbarriers.emplace(offset, std::move(made));
}

void fence_mbarrier_init() {
  const Fiber& me = *scheduler.current;
  for (auto& [offset, barrier] : me.block->mbarriers) {
    if (barrier.initialiser == me.clock.thread) barrier.fenced = true;
  }
}

void mbarrier_invalidate(void* barrier) {
  MbarrierState& state = state_of(barrier, "mbarrier_invalidate");
  if (!state.waiting.empty()) fail("no thread waiting at an mbarrier that is invalidated", "%zu", state.waiting.size());
  Block& block = *scheduler.current->block;
  block.shadow.end_barrier(offset_of(barrier));
  block.mbarriers.erase(offset_of(barrier));
}

void mbarrier_arrive(void* barrier, uint32_t expect_bytes) {
  MbarrierState& state = state_of(barrier, "mbarrier_arrive");
  add_bytes(state, expect_bytes);
  if (!state.missing) fail("no more arrivals in a phase than the mbarrier's count", "one more than %u", state.count);
  scheduler.current->clock.release(state.current);
  --state.missing;
  settle(state);
}

void mbarrier_expect(void* barrier, uint32_t bytes) { add_bytes(state_of(barrier, "mbarrier_expect"), bytes); }

bool mbarrier_test(void* barrier, uint32_t parity) {
  if (over(state_of(barrier, "mbarrier_test"), parity)) return true;
  scheduler.give_way("mbarrier_test");
  return false;
}

void mbarrier_wait(void* barrier, uint32_t parity) {
  MbarrierState& state = state_of(barrier, "mbarrier_wait");
  while (!over(state, parity)) {
    state.waiting.push_back(scheduler.current);
    scheduler.wait(parity ? "mbarrier_wait of parity 1" : "mbarrier_wait of parity 0");
  }
}

MbarrierState& mbarrier_of_copy(void* barrier) {
  MbarrierState& state = state_of(barrier, "a copy");
  if (!state.fenced) fail("fence_mbarrier_init() before a copy completes on the mbarrier", "none");
  return state;
}

void mbarrier_complete(MbarrierState& barrier, uint32_t bytes, Stamp issuer) {
  barrier.current.learn(issuer.thread(), issuer.clock());
  barrier.bytes -= bytes;
  settle(barrier);
}

}  // namespace videomae::cuda::emu
