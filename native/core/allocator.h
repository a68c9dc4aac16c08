// Memory for tensors: a process-wide caching allocator, and arenas that replay a recorded plan.
//
// Freed blocks are kept by size and handed out again, so that a training loop reaches the operating system only in its
// first steps and never faults the same pages in twice. Sizes are rounded up to eight steps a power of two (at most
// 12.5 % waste), which lets blocks of nearly equal size serve each other. Blocks are aligned to 64 bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace videomae {

struct MemoryStatistics {
  size_t live;      // bytes handed out now
  size_t peak;      // the most bytes ever handed out at once since the last reset_peak()
  size_t cached;    // bytes kept for reuse
  size_t arena;     // bytes held by planned arenas
  size_t reserved;  // the most bytes ever handed out and cached together: what the operating system has to give
  uint64_t system;  // how often the operating system was asked
};

MemoryStatistics memory_statistics();
void reset_peak();
/// Gives cached blocks back to the operating system.
void empty_cache();

/// Until the end of its life, this thread's allocations are counted and not made: blocks have sizes and no memory, and
/// the statistics are those of the counted blocks alone. Nothing may read or write such a block. Kernels are left out
/// (ops/execute.h), so a step that is rehearsed says what memory it would take, to the byte, in no time.
class Rehearsal {
 public:
  /// Throws Error inside another one.
  Rehearsal();
  ~Rehearsal();
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;
};

/// Whether this thread is in a rehearsal.
bool rehearsing();

class Arena;

/// A block of memory, owned: it returns to its allocator when the last reference goes.
struct Block {
  void* data = nullptr;
  size_t bytes = 0;      // as asked for
  bool counted = false;  // of a rehearsal: there is no memory at `data`
};

/// Allocates `bytes` on the CPU, 64-byte aligned, from this thread's arena while one is open. Throws Error when memory
/// is exhausted, saying what was asked, what is live and what is cached.
std::shared_ptr<Block> allocate(size_t bytes);

/// A step's memory, planned: the first pass records every allocation and release, plan() packs them into one block
/// by lifetime, and later passes are served from that block without allocating.
class Arena {
 public:
  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Opens the arena for allocations of this thread. Recording until plan() has been called, replaying afterwards.
  void open();
  /// Closes it. Returns how many of its blocks are still alive.
  int64_t close();
  /// Packs what the last recorded pass did. Throws Error when blocks of that pass are still alive.
  void plan();
  /// Forgets the plan and gives its memory back, once the last block in it has gone.
  void clear();
  /// Whether the last pass made all the allocations of the plan, where there is one.
  bool complete() const;
  bool planned() const;
  size_t bytes() const;

 private:
  friend std::shared_ptr<Block> allocate(size_t bytes);
  struct State;
  std::shared_ptr<State> state_;  // shared with its blocks, which may outlive the arena
};

}  // namespace videomae
