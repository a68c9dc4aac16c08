#include "core/allocator.h"

#include "core/arena.h"

namespace videomae {

uint64_t next_version() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

std::shared_ptr<Block> allocate(size_t bytes, Device device, Purpose purpose) {
  if (Arena* arena = Arena::opened(device)) return arena->allocate(bytes, purpose);
  return allocate_from(home_of(device), bytes, purpose);
}

std::shared_ptr<Block> allocate_from(const Home& home, size_t bytes, Purpose purpose) {
  const size_t size = home->rounded(bytes);
  if (purpose == Purpose::scratch) {
    const CachingAllocator::Scratch scratch = home->take_scratch(size);
    return {new Block{scratch.data, bytes, home->counting()}, [scratch, home](Block* block) {
              home->give_back_scratch(scratch);
              delete block;
            }};
  }
  void* data = home->take(size);
  return {new Block{data, bytes, home->counting()}, [size, home](Block* block) {
            home->give_back(block->data, size);
            delete block;
          }};
}

}  // namespace videomae
