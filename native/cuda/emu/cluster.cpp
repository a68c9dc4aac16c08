#include "cuda/emu/cluster.h"

#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
namespace {

/// Where block `rank` has what the running thread's block has at `shared`.
uint32_t* there(const uint32_t* shared, uint32_t rank, Block*& block) {
  const SharedMemory& own = scheduler.current->block->shared;
  if (!own.holds(shared, 4)) fail("an address of the block's shared memory", "%p", static_cast<const void*>(shared));
  if (rank >= cluster_size()) fail("a rank of the cluster", "%u of %u", rank, cluster_size());
  block = scheduler.blocks[rank].get();
  for (const Fiber& fiber : block->fibers) {
    if (!fiber.ended) return reinterpret_cast<uint32_t*>(block->shared.data() + own.offset(shared));
  }
  fail("a block of the cluster that has not ended", "rank %u", rank);
}

}  // namespace

uint32_t cluster_rank() { return scheduler.current->block->rank; }

uint32_t cluster_size() { return static_cast<uint32_t>(scheduler.launch->cluster); }

void cluster_arrive() {
  Fiber& me = *scheduler.current;
  ClusterBarrier& barrier = scheduler.cluster_barrier;
  if (me.cluster_arrivals != me.cluster_waits) fail("cluster_wait() between two cluster_arrive()", "none");
  ++me.cluster_arrivals;
  me.clock.release(barrier.current);
  uint32_t threads = 0;
  for (uint32_t rank = 0; rank < cluster_size(); ++rank) {
    threads += static_cast<uint32_t>(scheduler.blocks[rank]->fibers.size());
  }
  if (++barrier.arrived < threads) return;
  barrier.arrived = 0, ++barrier.phase;
  barrier.over.learn(barrier.current);
  for (Fiber* fiber : barrier.waiting) scheduler.wake(*fiber);
  barrier.waiting.clear();
}

void cluster_wait() {
  Fiber& me = *scheduler.current;
  ClusterBarrier& barrier = scheduler.cluster_barrier;
  if (me.cluster_arrivals == me.cluster_waits) fail("cluster_arrive() before cluster_wait()", "none");
  while (barrier.phase <= me.cluster_waits) {
    barrier.waiting.push_back(&me);
    scheduler.wait("cluster_wait");
  }
  ++me.cluster_waits;
  me.clock.acquire(barrier.over);
}

uint32_t cluster_load(const uint32_t* shared, uint32_t rank) {
  Block* block;
  const uint32_t* place = there(shared, rank, block);
  block->shadow.read(block->shared.offset(place), 4);
  return *place;
}

void cluster_store(uint32_t* shared, uint32_t rank, uint32_t value) {
  Block* block;
  uint32_t* place = there(shared, rank, block);
  block->shadow.write(block->shared.offset(place), 4);
  *place = value;
}

}  // namespace videomae::cuda::emu
