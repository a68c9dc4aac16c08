// A caching allocator over one source of memory: the system, a device, or none at all.
//
// Freed blocks are kept by size and handed out again, so that a training loop reaches the source only in its first
// steps and never faults the same pages in twice. Sizes are rounded up to eight steps a power of two (at most 12.5 %
// waste), but to no more than 2 MiB, which lets blocks of nearly equal size serve each other. Scratch memory, which an
// op has while it runs, is kept apart: a large block serves any smaller need, so that ops with many sizes of it share
// one. On a device a block may be handed out again while kernels still work on it: whoever gets it works on the same
// stream, after them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace videomae {

/// Where blocks come from.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  /// Null when there is not as much.
  virtual void* take(size_t bytes) = 0;
  virtual void give_back(void* data) = 0;
  /// Called when all cached blocks have been given back.
  virtual void trim() {}
  /// Of every block, a power of two.
  virtual size_t alignment() const = 0;
  /// Whether blocks are only counted, and have no memory.
  virtual bool counting() const { return false; }
  /// For errors: "on cuda:0"; empty for the system's.
  virtual std::string place() const { return ""; }
};

struct MemoryStatistics {
  size_t live;      // bytes handed out now
  size_t peak;      // the most bytes ever handed out at once since the last reset_peak()
  size_t cached;    // bytes kept for reuse
  size_t arena;     // bytes held by planned arenas
  size_t reserved;  // the most bytes ever handed out and cached together: what the source has to give
  uint64_t system;  // how often the source was asked
};

class CachingAllocator {
 public:
  explicit CachingAllocator(std::unique_ptr<MemorySource> source) : source_(std::move(source)) {}

  bool counting() const { return source_->counting(); }
  size_t alignment() const { return source_->alignment(); }

  /// The size of the block that serves `bytes`.
  size_t rounded(size_t bytes) const;
  /// A block of a rounded size. Throws Error when the source is exhausted, saying what was asked, live and cached.
  void* take(size_t size);
  void give_back(void* data, size_t size);

  /// A block of `block` bytes, of which `size` are asked for and counted as handed out.
  struct Scratch {
    void* data;
    size_t size, block;
  };
  /// The smallest free one that is large enough for a rounded size. Where there is none, those that are too small go
  /// back to the source.
  Scratch take_scratch(size_t size);
  void give_back_scratch(const Scratch& scratch);

  /// Gives cached blocks back to the source.
  void empty();
  /// Counts the bytes of a planned arena, or with a minus no longer.
  void count_arena(int64_t bytes);
  MemoryStatistics statistics() const;
  void reset_peak();

 private:
  using FreeBlocks = std::map<size_t, std::vector<void*>>;  // by size

  void* ask_source(size_t size);
  void hand_out(size_t size);
  void release(FreeBlocks& blocks);
  void release_cached();

  const std::unique_ptr<MemorySource> source_;
  mutable std::mutex mutex_;
  FreeBlocks free_, free_scratch_;
  size_t live_ = 0, peak_ = 0, cached_ = 0, arena_ = 0, reserved_ = 0;
  uint64_t asked_ = 0;
};

}  // namespace videomae
