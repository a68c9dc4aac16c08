// The running cluster: its blocks, warps and threads, and which thread goes on next. Inside the emulator only.
//
// One launch runs at a time, in one host thread; blocks of a cluster run concurrently, clusters one after another. A
// thread runs until it waits, and only then another may: the choice is by Order, and at random unless said otherwise.
// At random a warp mostly goes on until all its lanes wait, so that warps run far ahead of each other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda/emu/bulk_copy.h"
#include "cuda/emu/context_switch.h"
#include "cuda/emu/cp_async.h"
#include "cuda/emu/happens_before.h"
#include "cuda/emu/launch.h"
#include "cuda/emu/mbarrier.h"
#include "cuda/emu/shared_memory.h"
#include "cuda/emu/shared_shadow.h"
#include "cuda/emu/thread.h"
#include "cuda/emu/wgmma.h"

namespace videomae::cuda::emu {

struct Warp;
struct Block;

struct Fiber {
  SavedStack place;
  uint3 thread;          // threadIdx
  uint32_t index;        // in the block
  unsigned char* stack;  // its low end
  ThreadClock clock;
  Block* block;
  Warp* warp;
  const char* waits_for;  // what it was told to wait for; null when it may run
  bool ended;
  CopyGroups copies;  // cp.async that it has started
  BulkGroups stores;  // likewise of the copy engine
  WgmmaState wgmma;
  uint32_t cluster_arrivals, cluster_waits;
  bool waited_for_kernels_ahead;
  uint32_t lane() const { return index % 32; }
};

struct Warp {
  uint32_t number;    // in the cluster
  Fiber* lanes;       // of the block's fibers
  uint32_t count;     // lanes there are: 32, or fewer in a block's last warp
  uint32_t runnable;  // a bit a lane
  uint32_t ended;
  const Collective* collective;
  uint32_t arrived;  // lanes that wait in it
  void* brought[32];
};

/// One of a block's 16 barriers, in threads.
struct Barrier {
  uint32_t expected = 0, arrived = 0;  // 0 expected: not in use
  std::vector<Fiber*> waiting;
  VectorClock arrivals;
};

struct ClusterBarrier {
  uint32_t arrived = 0, phase = 0;
  VectorClock current, over;  // as of an mbarrier
  std::vector<Fiber*> waiting;
};

struct Block {
  uint3 index;    // blockIdx
  uint32_t rank;  // in the cluster
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  Barrier barriers[16];
  Mbarriers mbarriers;
  SharedMemory shared;
  SharedShadow shadow;
};

/// Whether this host thread is in a kernel. Others meanwhile run host code of the same files, whose accesses are
/// reported too. A word at a fixed place of the thread: it is looked at before every access.
extern __thread bool in_kernel __attribute__((tls_model("initial-exec")));

class Scheduler {
 public:
  Fiber* current = nullptr;  // null outside kernels

  const GridLaunch* launch = nullptr;
  uint32_t cluster = 0;       // its number in the grid
  uintptr_t words_begin = 0;  // where threadIdx and its like lie
  size_t words_bytes = 0;
  std::vector<std::unique_ptr<Block>> blocks;  // of the cluster

  void begin_launch(const GridLaunch& next, Order order, uint64_t seed);
  void end_launch();

  /// Runs one cluster to its end.
  /// @throws Error for what fail() was called with
  void run_cluster(uint32_t number);

  ClusterBarrier cluster_barrier;

  /// Has work done when no thread can go on without it; at random orders now and then sooner.
  void later(std::function<void()> work);
  std::vector<Stretch> arguments;  // of the call under way: what a thread's own stack would lose at an error

  /// The thread of a number in the cluster (ThreadClock); null when there is none.
  const Fiber* thread(uint32_t number) const;

  /// Lets others run until wake() is called for this thread.
  void wait(const char* what);
  void wake(Fiber& fiber);
  void wake_all(Warp& full_warp);
  /// Goes on once no other thread can.
  void give_way(const char* what);

  uint64_t random();  // 32 bits
  uint32_t random_below(uint32_t limit);
  bool at_random() const { return order_ == Order::random; }
  Order order() const { return order_; }

  [[noreturn]] void abandon();  // the kernel, after its failure has been written down

 private:
  Order order_ = Order::random;
  uint64_t state_ = 1;
  SavedStack host_;
  uint32_t unfinished_ = 0;
  uint32_t idle_rounds_ = 0;
  bool failed_ = false;
  std::vector<Warp*> warps_;     // of all blocks
  std::vector<uint64_t> ready_;  // a bit a warp with runnable lanes
  std::vector<Fiber*> yielded_;
  std::vector<std::function<void()>> transfers_;
  std::function<void()> transfer_;  // under way

  bool finish_transfer();
  static void enter_thread();
  void place_block(Block& block, uint32_t number, uint32_t rank);
  void go_on();
  Fiber* next();
  Warp* pick_warp();
  [[noreturn]] void report_deadlock();
};

extern Scheduler scheduler;

/// Threads 3, 7..31 and the like, of fibers for which `chosen` says yes; at most a line.
std::string describe_threads(const Block& block, const std::function<bool(const Fiber&)>& chosen);

}  // namespace videomae::cuda::emu
