// cp.async as the emulator does it: as late as may be. Starting a copy poisons its destination; the bytes are read and
// written when the thread waits for the group.
#pragma once

#include <cstdint>
#include <vector>

namespace videomae::cuda::emu {

struct PendingCopy {
  unsigned char* shared;
  const unsigned char* global;
  uint32_t bytes, valid;
};

/// A thread's copies in the order in which it started them.
struct CopyGroups {
  std::vector<PendingCopy> copies;
  std::vector<uint32_t> ends;  // of the committed groups, as counts of copies
};

void cp_async(void* shared, const void* global, uint32_t bytes, uint32_t valid);
void cp_async_commit();
void cp_async_wait(uint32_t pending);

}  // namespace videomae::cuda::emu
