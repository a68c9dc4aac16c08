#include "cuda/emu/shared_shadow.h"

#include <cstring>

#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
namespace {

uint32_t last_epoch = 0;  // of all blocks: an epoch is never used again until the numbers are

}  // namespace

void SharedShadow::reset(size_t bytes) {
  const size_t granules = (bytes + kGranule - 1) / kGranule;
  states_.assign(bytes, unwritten);
  if (writes_.size() < granules) writes_.resize(granules), reads_.resize(granules), generic_.resize(granules);
  readers_.assign(granules, 0);
  begin_epoch();
}

void SharedShadow::begin_epoch() {
  if (last_epoch == Stamp::largest_epoch) {  // numbers begin again: stamps of old ones must not be taken for new
    last_epoch = 0;
    for (auto& block : scheduler.blocks) {
      std::fill(block->shadow.writes_.begin(), block->shadow.writes_.end(), Stamp{});
      std::fill(block->shadow.reads_.begin(), block->shadow.reads_.end(), Stamp{});
    }
  }
  epoch_ = ++last_epoch;
}

void SharedShadow::check_state(size_t offset, size_t bytes, const char* verb) const {
  for (size_t i = offset; i < offset + bytes; ++i) {
    if (states_[i] == written) continue;
    if (states_[i] == pending) {
      fail("no access to shared memory that an asynchronous copy is still to write", "%s at offset %zu", verb, i);
    }
    if (states_[i] == barrier)
      fail("no access to a live mbarrier but through its functions", "%s at offset %zu", verb, i);
    fail("shared memory to be written before it is read", "%s at offset %zu", verb, i);
  }
}

void SharedShadow::check_race(size_t granule, Stamp other, const char* mine, const char* others) const {
  const Fiber& me = *scheduler.current;
  if (me.clock.after(other, epoch_)) return;
  const uint32_t who = other.thread();
  char name[48];
  if (who == Stamp::several_warps) {
    std::snprintf(name, sizeof(name), "several threads");
  } else if (who & Stamp::warp_bit) {
    std::snprintf(name, sizeof(name), "several lanes of warp %u", who & ~Stamp::warp_bit);
  } else {
    std::snprintf(name, sizeof(name), "thread %u", who);
  }
  fail("a barrier between accesses of different threads to shared memory", "%s of offset %zu, which %s %s", mine,
       granule * kGranule, name, others);
}

void SharedShadow::note_write(size_t offset, size_t bytes, bool generic) {
  if (bytes == 1) return;
  const Stamp mine = scheduler.current->clock.stamp(epoch_);
  for (size_t g = offset / kGranule, end = (offset + bytes - 1) / kGranule; g <= end; ++g) {
    if (writes_[g].bits != mine.bits) check_race(g, writes_[g], "a write", "has written");
    if (reads_[g].bits != mine.bits) check_race(g, reads_[g], "a write", "has read");
    if (readers_[g]) {
      fail("shared memory to stay as it is until asynchronous reads of it have been waited for",
           "a write of offset %zu", g * kGranule);
    }
    writes_[g] = mine;
    generic_[g] = generic;
  }
}

void SharedShadow::note_read(size_t offset, size_t bytes) {
  if (bytes == 1) return;
  const ThreadClock& clock = scheduler.current->clock;
  const Stamp mine = clock.stamp(epoch_);
  for (size_t g = offset / kGranule, end = (offset + bytes - 1) / kGranule; g <= end; ++g) {
    if (writes_[g].bits != mine.bits) check_race(g, writes_[g], "a read", "has written");
    Stamp& last = reads_[g];
    if (last.bits == mine.bits) continue;
    if (clock.after(last, epoch_)) {
      last = mine;
      continue;
    }
    const uint32_t who = last.thread(), warp = who & Stamp::warp_bit ? who & ~Stamp::warp_bit : who / 32;
    const bool same_warp = who != Stamp::several_warps && warp == clock.thread / 32;
    last = same_warp ? Stamp::of(epoch_, std::max(last.clock(), clock.now), Stamp::warp_bit | warp)
                     : Stamp::of(epoch_, clock.now, Stamp::several_warps);
  }
}

void SharedShadow::read(size_t offset, size_t bytes) {
  check_state(offset, bytes, "a read");
  note_read(offset, bytes);
}

void SharedShadow::write(size_t offset, size_t bytes) {
  for (size_t i = offset; i < offset + bytes; ++i) {
    if (states_[i] >= pending) check_state(i, 1, "a write");
  }
  std::memset(&states_[offset], written, bytes);
  note_write(offset, bytes, true);
}

void SharedShadow::begin_async_write(size_t offset, size_t bytes, const char* what) {
  for (size_t i = offset; i < offset + bytes; ++i) {
    if (states_[i] >= pending) check_state(i, 1, what);
  }
  note_write(offset, bytes, false);
  std::memset(&states_[offset], pending, bytes);
}

void SharedShadow::end_async_write(size_t offset, size_t bytes, Stamp writer) {
  std::memset(&states_[offset], written, bytes);
  for (size_t g = offset / kGranule, end = (offset + bytes - 1) / kGranule; g <= end; ++g) {
    writes_[g] = writer;
    generic_[g] = 0;
  }
}

void SharedShadow::begin_async_read(size_t offset, size_t bytes, const char* what) {
  check_state(offset, bytes, what);
  note_read(offset, bytes);
  check_fenced(offset, bytes, what);
  for (size_t g = offset / kGranule, end = (offset + bytes - 1) / kGranule; g <= end; ++g) ++readers_[g];
}

void SharedShadow::end_async_read(size_t offset, size_t bytes) {
  for (size_t g = offset / kGranule, end = (offset + bytes - 1) / kGranule; g <= end; ++g) --readers_[g];
}

void SharedShadow::check_fenced(size_t offset, size_t bytes, const char* what) const {
  for (size_t i = offset; i < offset + bytes; i += kGranule) {
    const size_t g = i / kGranule;
    if (states_[i] != written || !generic_[g] || !writes_[g].bits) continue;
    const Fiber* writer = scheduler.thread(writes_[g].thread());
    if (!writer) continue;
    // (epoch, clock) of the write against those of the fence, which advanced the clock
    if (writes_[g].bits >> 16 < writer->clock.fenced.bits >> 16) continue;
    fail("fence_proxy_async_shared() between stores to shared memory and the asynchronous proxy",
         "%s of offset %zu, which thread %u has written", what, i, writes_[g].thread());
  }
}

void SharedShadow::make_barrier(size_t offset) {
  write(offset, 8);
  std::memset(&states_[offset], barrier, 8);
}

void SharedShadow::end_barrier(size_t offset) {
  check_barrier(offset);
  std::memset(&states_[offset], unwritten, 8);
  note_write(offset, 8, true);
}

void SharedShadow::check_barrier(size_t offset) const {
  if (scheduler.current->clock.after(writes_[offset / kGranule], epoch_)) return;
  fail("a barrier between mbarrier_init() and its use by other threads",
       "the mbarrier at offset %zu, which thread %u "
       "has initialised",
       offset, writes_[offset / kGranule].thread());
}

}  // namespace videomae::cuda::emu
