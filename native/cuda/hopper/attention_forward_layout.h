// How forward attention on wgmma is cut into blocks, and how they lie in shared memory. Plain constexpr C++: the one
// authority for the kernel, its launch and the tests.
#pragma once

#include "cuda/device/wgmma_layout.h"

namespace videomae::cuda {

/// Keys that pass by at a time, so that the last of them waste little: 944 are 5.9 times 160, 1232 7 times 176, 1568
/// 8.9 times 176, 2048 16 times 128.
constexpr int kWgmmaKeys[] = {128, 160, 176};

/// Keys of a block for so many tokens: those that pad them least, of equals the most.
constexpr int wgmma_keys(int tokens) {
  int best = 0, least = 0;
  for (const int keys : kWgmmaKeys) {
    const int padded = (tokens + keys - 1) / keys * keys;
    if (best == 0 || padded <= least) best = keys, least = padded;
  }
  return best;
}

/// Keys that pass by at a time where three warpgroups share the registers.
constexpr int kWgmmaKeysOfThree = 96;

/// @tparam columns_of_product  N of the product with the values: the head's width or a little more, 64, 80 or 88
/// @tparam keys_of_block  N of the product with the keys, one of kWgmmaKeys
/// @tparam warpgroups  that multiply: two have registers for many keys at a time; of three, one more hides what the
/// others wait for, and there are registers for columns of 64 and 96 keys
template <int columns_of_product, int keys_of_block, int warpgroups = 2>
struct WgmmaForwardTiling {
  static constexpr int columns = columns_of_product, keys = keys_of_block;
  static constexpr int rows = 64;               // queries of a warpgroup: M of wgmma
  static constexpr int consumers = warpgroups;  // and one more that loads, the producer
  static constexpr int queries = consumers * rows;
  static constexpr int threads = (consumers + 1) * kWarpgroup;

  // Rows come in boxes one swizzle span wide. A row of 64 columns is one span of 128 bytes; wider ones are three of 64,
  // 96 columns, of which those beyond the head are zero.
  static constexpr Swizzle swizzle = columns <= 64 ? Swizzle::b128 : Swizzle::b64;
  static constexpr int box = static_cast<int>(swizzle_span(swizzle)) / 2;  // columns
  static constexpr int boxes = (columns + box - 1) / box;
  static constexpr int steps = (columns + 15) / 16;  // of k in the product with the keys

  static constexpr WgmmaTile query_tile{Major::k, swizzle, rows, boxes* box};
  static constexpr WgmmaTile key_tile{Major::k, swizzle, keys, boxes* box};
  static constexpr WgmmaTile value_tile{Major::mn, swizzle, boxes* box, keys};  // the same memory as key_tile
  static constexpr WgmmaTile result_tile{Major::k, swizzle, 16, boxes* box};    // y of one warp

  static constexpr int query_bytes = consumers * static_cast<int>(query_tile.bytes());
  static constexpr int slot_bytes = static_cast<int>(key_tile.bytes());
  static constexpr int query_slots = 2;  // queries of this piece of work and of the next

  // Shared memory: slots of queries, of keys or values, results, mbarriers.
  static constexpr int ring_offset = query_slots * query_bytes;
  static constexpr int largest = 227 << 10, mbarrier_bytes = 256;
  static constexpr int slots_that_fit = (largest - ring_offset - query_bytes - mbarrier_bytes) / slot_bytes;
  static constexpr int slots = slots_that_fit < 6 ? slots_that_fit : 6;
  static constexpr int result_offset = ring_offset + slots * slot_bytes;
  static constexpr int mbarrier_offset = result_offset + query_bytes;
  static constexpr int shared_bytes = mbarrier_offset + mbarrier_bytes;

  // Registers a thread: 65536 for all, and what the kernel begins with is the same for all threads.
  static constexpr int consumer_registers = consumers == 2 ? 240 : 160, producer_registers = 24;

  static_assert(slots >= 3, "keys, the values before them, and one that comes");
  static_assert(2 * (query_slots + slots) * 8 <= mbarrier_bytes);
  static_assert(query_tile.bytes() % 1024 == 0 && key_tile.bytes() % 1024 == 0 && result_tile.bytes() % 1024 == 0);
};

}  // namespace videomae::cuda
