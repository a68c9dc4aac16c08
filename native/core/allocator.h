// Memory for tensors: blocks of a device's caching allocator, or of the arena that is open.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/device.h"
#include "core/memory_home.h"

namespace videomae {

/// A number that was never given before: the version of a block's contents.
uint64_t next_version();

/// A block of memory, owned: it returns to where it came from when the last reference goes.
struct Block {
  void* data = nullptr;  // an address on its device
  size_t bytes = 0;      // as asked for
  bool counted = false;  // of a rehearsal: there is no memory at `data`
  bool planned = false;  // a place in a planned arena, which holds the memory
  /// Another number after every write to a tensor that lies in it: what was derived from its contents tells by it
  /// whether it is stale.
  std::atomic<uint64_t> version{next_version()};
};

/// What a block is for: to be kept, or as scratch memory of an op while that runs.
enum class Purpose { tensor, scratch };

/// Allocates `bytes` on a device, from this thread's arena of the device while one is open. Aligned to 64 bytes on the
/// CPU, to 256 elsewhere. Throws Error when memory is exhausted, saying what was asked, what is live and what is
/// cached.
std::shared_ptr<Block> allocate(size_t bytes, Device device = {}, Purpose purpose = Purpose::tensor);

/// A block of a caching allocator, whatever arena is open.
std::shared_ptr<Block> allocate_from(const Home& home, size_t bytes, Purpose purpose);

}  // namespace videomae
