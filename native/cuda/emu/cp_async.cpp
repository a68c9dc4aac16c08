#include "cuda/emu/cp_async.h"

#include <cstring>

#include "cuda/emu/device_memory.h"
#include "cuda/emu/scheduler.h"

namespace videomae::cuda::emu {

void cp_async(void* shared, const void* global, uint32_t bytes, uint32_t valid) {
  const auto misaligned = [bytes](const void* p) { return reinterpret_cast<uintptr_t>(p) % bytes != 0; };
  if (misaligned(shared))
    fail("cp.async to a shared address that is a multiple of its bytes", "%p for %u", shared, bytes);
  if (misaligned(global))
    fail("cp.async from a global address that is a multiple of its bytes", "%p for %u", global, bytes);
  if (valid > bytes) fail("cp.async with at most as many valid bytes as bytes", "%u of %u", valid, bytes);
  Block& block = *scheduler.current->block;
  const SharedMemory& memory = block.shared;
  if (!memory.holds(shared, bytes)) {
    fail("cp.async into the block's shared memory", "%u bytes at %p, where it has %zu at %p", bytes, shared,
         memory.bytes(), static_cast<void*>(memory.data()));
  }
  if (valid) check_device_access(global, valid, false);
  block.shadow.begin_async_write(memory.offset(shared), bytes, "cp.async");
  std::memset(shared, kPoison, bytes);
  scheduler.current->copies.copies.push_back(
      {static_cast<unsigned char*>(shared), static_cast<const unsigned char*>(global), bytes, valid});
}

void cp_async_commit() {
  CopyGroups& groups = scheduler.current->copies;
  groups.ends.push_back(static_cast<uint32_t>(groups.copies.size()));
}

void cp_async_wait(uint32_t pending) {
  CopyGroups& groups = scheduler.current->copies;
  if (groups.ends.size() <= pending) return;
  const size_t finished = groups.ends.size() - pending;
  const uint32_t count = groups.ends[finished - 1];
  Block& block = *scheduler.current->block;
  const Stamp mine = scheduler.current->clock.stamp(block.shadow.epoch());
  for (uint32_t i = 0; i < count; ++i) {
    const PendingCopy& copy = groups.copies[i];
    if (copy.valid) std::memcpy(copy.shared, copy.global, copy.valid);
    std::memset(copy.shared + copy.valid, 0, copy.bytes - copy.valid);
    block.shadow.end_async_write(block.shared.offset(copy.shared), copy.bytes, mine);
  }
  groups.copies.erase(groups.copies.begin(), groups.copies.begin() + count);
  groups.ends.erase(groups.ends.begin(), groups.ends.begin() + static_cast<std::ptrdiff_t>(finished));
  for (uint32_t& end : groups.ends) end -= count;
}

}  // namespace videomae::cuda::emu
