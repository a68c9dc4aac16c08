// Which accesses to shared memory are ordered by barriers: how data races are found.
//
// Every access leaves a stamp: who, at which time of its own clock, in which epoch of the block. block_sync begins an
// epoch, and all that lies in earlier ones has happened before. Within an epoch a thread's clock advances whenever
// others may learn what it has done: at warp_sync, which orders a warp, and at arrivals on other barriers, which carry
// what the arriving thread knows of others' clocks (vector clocks, kept only where a kernel has such barriers).
// Shuffles and matrix operations order nothing, as PTX has it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace videomae::cuda::emu {

/// Threads are numbered through the cluster: 32 a warp.
struct Stamp {
  uint64_t bits = 0;  // epoch << 40 | clock << 16 | thread; 0: never

  static constexpr uint32_t several_warps = 0xFFFF, warp_bit = 0x8000;  // in place of a thread, for readers
  static constexpr uint32_t largest_epoch = (1u << 24) - 1;

  static Stamp of(uint32_t epoch, uint32_t clock, uint32_t thread) {
    return {uint64_t{epoch} << 40 | uint64_t{clock & 0xFFFFFF} << 16 | thread};
  }
  uint32_t epoch() const { return static_cast<uint32_t>(bits >> 40); }
  uint32_t clock() const { return static_cast<uint32_t>(bits >> 16) & 0xFFFFFF; }
  uint32_t thread() const { return static_cast<uint32_t>(bits) & 0xFFFF; }
};

/// What is known of all threads' clocks; empty: of none.
class VectorClock {
 public:
  bool empty() const { return known_.empty(); }
  void clear() { known_.clear(); }
  uint32_t of(uint32_t thread) const { return thread < known_.size() ? known_[thread] : 0; }
  void learn(uint32_t thread, uint32_t clock) {
    if (known_.size() <= thread) known_.resize(thread + 1);
    known_[thread] = std::max(known_[thread], clock);
  }
  void learn(const VectorClock& other) {
    if (known_.size() < other.known_.size()) known_.resize(other.known_.size());
    for (size_t i = 0; i < other.known_.size(); ++i) known_[i] = std::max(known_[i], other.known_[i]);
  }

 private:
  std::vector<uint32_t> known_;
};

struct ThreadClock {
  uint32_t thread;  // its number
  uint32_t now = 1;
  uint32_t warp_since = 1;  // what its warp did at smaller clocks has happened before
  Stamp fenced;             // what it wrote before is visible to the asynchronous proxy
  VectorClock known;

  void restart(uint32_t number) {
    thread = number, now = warp_since = 1, fenced = Stamp{};
    known.clear();
  }

  /// Tells a barrier what this thread has done and knows, and what its warp did before it was last ordered.
  void release(VectorClock& barrier) {
    barrier.learn(known);
    for (uint32_t lane = 0; warp_since > 1 && lane < 32; ++lane) barrier.learn(thread / 32 * 32 + lane, warp_since - 1);
    barrier.learn(thread, now++);
  }
  void acquire(const VectorClock& barrier) { known.learn(barrier); }

  Stamp stamp(uint32_t epoch) const { return Stamp::of(epoch, now, thread); }

  /// Whether the access of `stamp` has happened before what this thread does now, in `epoch`. Where readers were
  /// several, and all that is kept is that, known clocks count as knowing them.
  bool after(Stamp stamp, uint32_t epoch) const {
    if (stamp.epoch() != epoch) return true;
    const uint32_t who = stamp.thread();
    if (who == thread) return true;
    if (who == Stamp::several_warps) return !known.empty();
    const uint32_t warp = who & Stamp::warp_bit ? who & ~Stamp::warp_bit : who / 32;
    if (warp == thread / 32 && stamp.clock() < warp_since) return true;
    if (known.empty()) return false;
    if (!(who & Stamp::warp_bit)) return known.of(who) >= stamp.clock();
    for (uint32_t lane = 0; lane < 32; ++lane) {
      if (known.of(32 * warp + lane) >= stamp.clock()) return true;
    }
    return false;
  }
};

}  // namespace videomae::cuda::emu
