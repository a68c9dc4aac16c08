// The copy engine of the emulator: bulk loads, and stores and reductions in bulk groups.
//
// A load poisons its destination, and comes when no thread can go on without it (at random orders now and then sooner).
// What a store reads must not change until its group has been read, and reaches global memory only when the group is
// waited for, or the block ends.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cuda/emu/happens_before.h"

namespace videomae::cuda::emu {

/// One stretch of a copy: so many bytes between two places.
struct Stretch {
  unsigned char* shared;
  unsigned char* global;  // null: nothing there; a load fills with `fill`, a store leaves it out
  uint32_t bytes;
  uint16_t fill;  // a 16-bit element
};

/// What a store does with its bytes at their place in global memory.
using Arrive = void (*)(unsigned char* global, const unsigned char* bytes, uint32_t count);

struct PendingStore {
  std::vector<Stretch> stretches;
  std::vector<unsigned char> bytes;  // once they have been read
  Arrive arrive;
  bool read = false;
};

/// A thread's stores in the order in which it started them.
struct BulkGroups {
  std::vector<PendingStore> stores;
  std::vector<size_t> ends;  // of the committed groups, as counts of stores
};

void bulk_load(void* shared, const void* global, uint32_t bytes, void* mbarrier);
void bulk_reduce_f32(float* global, const float* shared, uint32_t bytes);
void bulk_reduce_bf16(uint16_t* global, const uint16_t* shared, uint32_t bytes);
void bulk_commit();
void bulk_wait(uint32_t pending, bool read_only);

// ---- for other copies ----

void start_load(std::vector<Stretch> stretches, void* mbarrier, const char* what);
void start_store(std::vector<Stretch> stretches, Arrive arrive, const char* what);
void copy_bytes(unsigned char* global, const unsigned char* bytes, uint32_t count);
/// The running thread ends: its stores must have been read.
void finish_stores();

}  // namespace videomae::cuda::emu
