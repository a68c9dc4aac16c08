#include "cuda/emu/bulk_copy.h"

#include <cstring>

#include "cuda/emu/device_memory.h"
#include "cuda/emu/mbarrier.h"
#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {
namespace {

void check_aligned(const void* address, uint32_t bytes, const char* what) {
  if (reinterpret_cast<uintptr_t>(address) % 16) fail("addresses at multiples of 16 bytes", "%s at %p", what, address);
  if (bytes % 16) fail("multiples of 16 bytes", "%s of %u", what, bytes);
}

size_t offset_of(const Stretch& stretch, const char* what) {
  const SharedMemory& memory = scheduler.current->block->shared;
  if (!memory.holds(stretch.shared, stretch.bytes)) {
    fail("copies within the block's shared memory", "%s at offset %td of %zu bytes", what,
         stretch.shared - memory.data(), memory.bytes());
  }
  return memory.offset(stretch.shared);
}

void add_f32(unsigned char* global, const unsigned char* bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; i += 4) {
    float sum, term;
    std::memcpy(&sum, global + i, 4), std::memcpy(&term, bytes + i, 4);
    sum += term;
    std::memcpy(global + i, &sum, 4);
  }
}

void add_bf16(unsigned char* global, const unsigned char* bytes, uint32_t count) {
  const auto wide = [](const unsigned char* p) {
    uint16_t bits;
    std::memcpy(&bits, p, 2);
    return same_bits<float>(static_cast<uint32_t>(bits) << 16);
  };
  for (uint32_t i = 0; i < count; i += 2) {
    const uint32_t sum = same_bits<uint32_t>(wide(global + i) + wide(bytes + i));
    const uint16_t bits = static_cast<uint16_t>((sum + 0x7FFF + (sum >> 16 & 1)) >> 16);
    std::memcpy(global + i, &bits, 2);
  }
}

Stretch whole(const void* shared, const void* global, uint32_t bytes) {
  return {static_cast<unsigned char*>(const_cast<void*>(shared)),
          static_cast<unsigned char*>(const_cast<void*>(global)), bytes, 0};
}

void read_shared(PendingStore& store) {
  if (store.read) return;
  store.read = true;
  Block& block = *scheduler.current->block;
  for (const Stretch& stretch : store.stretches) {
    store.bytes.insert(store.bytes.end(), stretch.shared, stretch.shared + stretch.bytes);
    block.shadow.end_async_read(block.shared.offset(stretch.shared), stretch.bytes);
  }
}

void write_global(PendingStore& store) {
  size_t at = 0;
  for (const Stretch& stretch : store.stretches) {
    if (stretch.global) store.arrive(stretch.global, &store.bytes[at], stretch.bytes);
    at += stretch.bytes;
  }
}

}  // namespace

void copy_bytes(unsigned char* global, const unsigned char* bytes, uint32_t count) {
  std::memcpy(global, bytes, count);
}

void start_load(std::vector<Stretch> stretches, void* mbarrier, const char* what) {
  Block& block = *scheduler.current->block;
  scheduler.arguments = std::move(stretches);  // not on this stack, which an error abandons
  MbarrierState& barrier = mbarrier_of_copy(mbarrier);
  uint32_t bytes = 0;
  for (const Stretch& stretch : scheduler.arguments) {
    const size_t offset = offset_of(stretch, what);
    if (stretch.global) check_device_access(stretch.global, stretch.bytes, false);
    block.shadow.check_fenced(offset, stretch.bytes, what);
    block.shadow.begin_async_write(offset, stretch.bytes, what);
    std::memset(stretch.shared, kPoison, stretch.bytes);
    bytes += stretch.bytes;
  }
  const Stamp issuer = scheduler.current->clock.stamp(block.shadow.epoch());
  ++scheduler.current->clock.now;
  scheduler.later([&block, &barrier, bytes, issuer, stretches = std::move(scheduler.arguments)] {
    for (const Stretch& stretch : stretches) {
      if (stretch.global) {
        std::memcpy(stretch.shared, stretch.global, stretch.bytes);
      } else {
        for (uint32_t i = 0; i < stretch.bytes; i += 2) std::memcpy(stretch.shared + i, &stretch.fill, 2);
      }
      block.shadow.end_async_write(block.shared.offset(stretch.shared), stretch.bytes, issuer);
    }
    mbarrier_complete(barrier, bytes, issuer);
  });
}

void start_store(std::vector<Stretch> stretches, Arrive arrive, const char* what) {
  Fiber& me = *scheduler.current;
  me.stores.stores.push_back({std::move(stretches), {}, arrive});
  PendingStore& store = me.stores.stores.back();
  for (const Stretch& stretch : store.stretches) {
    me.block->shadow.begin_async_read(offset_of(stretch, what), stretch.bytes, what);
    if (stretch.global) check_device_access(stretch.global, stretch.bytes, true);
  }
}

void bulk_load(void* shared, const void* global, uint32_t bytes, void* mbarrier) {
  check_aligned(shared, bytes, "bulk_load");
  check_aligned(global, bytes, "bulk_load");
  start_load({whole(shared, global, bytes)}, mbarrier, "bulk_load");
}

void bulk_reduce_f32(float* global, const float* shared, uint32_t bytes) {
  check_aligned(shared, bytes, "bulk_reduce_add");
  check_aligned(global, bytes, "bulk_reduce_add");
  start_store({whole(shared, global, bytes)}, add_f32, "bulk_reduce_add");
}

void bulk_reduce_bf16(uint16_t* global, const uint16_t* shared, uint32_t bytes) {
  check_aligned(shared, bytes, "bulk_reduce_add");
  check_aligned(global, bytes, "bulk_reduce_add");
  start_store({whole(shared, global, bytes)}, add_bf16, "bulk_reduce_add");
}

void bulk_commit() {
  BulkGroups& groups = scheduler.current->stores;
  groups.ends.push_back(groups.stores.size());
}

void bulk_wait(uint32_t pending, bool read_only) {
  BulkGroups& groups = scheduler.current->stores;
  if (groups.ends.size() <= pending) return;
  const size_t finished = groups.ends.size() - pending, count = groups.ends[finished - 1];
  for (size_t i = 0; i < count; ++i) read_shared(groups.stores[i]);
  if (read_only) return;
  for (size_t i = 0; i < count; ++i) write_global(groups.stores[i]);
  groups.stores.erase(groups.stores.begin(), groups.stores.begin() + static_cast<std::ptrdiff_t>(count));
  groups.ends.erase(groups.ends.begin(), groups.ends.begin() + static_cast<std::ptrdiff_t>(finished));
  for (size_t& end : groups.ends) end -= count;
}

void finish_stores() {
  for (PendingStore& store : scheduler.current->stores.stores) {
    if (!store.read) fail("bulk_wait_read() before the thread ends", "a store that may still be read");
    write_global(store);
  }
}

}  // namespace videomae::cuda::emu
