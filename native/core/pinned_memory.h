// Memory of the host that a device reads and writes itself, which is what makes copies asynchronous. Blocks are cached
// like those of tensors, but one that is let go while a copy is under way serves again only when that has ended.
#pragma once

#include <list>
#include <memory>
#include <mutex>

#include "core/caching_allocator.h"
#include "core/event.h"

namespace videomae {

class PinnedMemory {
 public:
  explicit PinnedMemory(Device device);

  /// A block, owned.
  class Block {
   public:
    Block(PinnedMemory& from, size_t bytes);
    ~Block();
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    void* data() const { return data_; }
    template <class T>
    T* data() const {
      return static_cast<T*>(data_);
    }
    /// Call behind a copy from or to the block, on the stream of the copy.
    void used_on(Stream stream);
    /// Waits for the last copy.
    void wait();

   private:
    PinnedMemory& from_;
    const size_t size_;  // rounded
    void* data_;
    std::unique_ptr<Event> used_;
  };

  MemoryStatistics statistics() const { return blocks_.statistics(); }

 private:
  struct Pending {
    void* data;
    size_t size;
    std::unique_ptr<Event> used;
  };

  /// Gives blocks back whose copies have ended.
  void collect();

  const Device device_;
  CachingAllocator blocks_;
  std::mutex mutex_;
  std::list<Pending> pending_;
};

}  // namespace videomae
