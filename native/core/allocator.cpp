#include "core/allocator.h"

#include "core/arena.h"

namespace videomae {

uint64_t next_version() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

std::shared_ptr<Block> allocate(size_t bytes, Device device) {
  if (Arena* arena = Arena::opened(device)) return arena->allocate(bytes);
  const Home home = home_of(device);
  const size_t size = home->rounded(bytes);
  void* data = home->take(size);
  return {new Block{data, bytes, home->counting()}, [size, home](Block* block) {
            home->give_back(block->data, size);
            delete block;
          }};
}

}  // namespace videomae
