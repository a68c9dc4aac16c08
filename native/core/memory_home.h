// Where a device's blocks come from and go back to: one caching allocator a device, for the whole process. In a
// rehearsal, one that only counts.
#pragma once

#include "core/caching_allocator.h"
#include "core/device.h"

namespace videomae {

using Home = std::shared_ptr<CachingAllocator>;

/// The allocator of a device, or this thread's rehearsal of it. Throws Error when there is no such device.
Home home_of(Device device);

MemoryStatistics memory_statistics(Device device = {});
void reset_peak(Device device = {});
/// Gives cached blocks back to the operating system, or to the device.
void empty_cache(Device device = {});

/// Until the end of its life, this thread's allocations are counted and not made: blocks have sizes and no memory, and
/// the statistics are those of the counted blocks alone. Nothing may read or write such a block. Kernels are left out
/// (ops/execute.h), so a step that is rehearsed says what memory it would take, to the byte, in no time.
class Rehearsal {
 public:
  /// Throws Error inside another one, and inside a compiled step.
  Rehearsal();
  ~Rehearsal();
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;
};

/// Whether this thread is in a rehearsal.
bool rehearsing();

}  // namespace videomae
