// What a thread of an emulated kernel asks of the emulator: the host's side of the wrappers in cuda/device.
//
// Threads are fibers (scheduler.h). A call that waits for others switches to another fiber. A mistake that is found
// ends the kernel with an Error that names it (fail); the fibers are then dropped where they stand, which loses
// nothing, since kernels own no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace videomae::cuda::emu {

/// Ends the kernel with Error(kernel, expected, got + the running thread's place). No destructor runs.
[[noreturn]] void fail(const char* expected, const char* got, ...) __attribute__((format(printf, 2, 3)));

// ---- barriers ----

void block_sync();
void warp_sync();

// ---- shared memory ----

/// The block's shared memory at an offset; an error beyond its end or when not aligned.
unsigned char* shared_memory(size_t byte_offset, size_t alignment);

/// As PTX names it. The block's memory begins at 1024, as on capability 9.0; an error for an address outside of it.
uint32_t shared_address(const void* shared);

void fence_proxy_async_shared();

// ---- atomic operations, which need nothing here: threads take turns only where they wait ----

void atomic_add(int* place, int value);
void atomic_min(int* place, int value);
void atomic_max(int* place, int value);

// ---- launches ----

void dependent_launch_wait();
void dependent_launch_allow();

// ---- collectives of a full warp ----

/// What all lanes do together: `work` runs once, when the last has come, with what each brought.
struct Collective {
  const char* name;
  void (*work)(void* const lanes[32]);
};

/// Waits for the other lanes, all of which have to come with the same collective.
void together(const Collective& collective, void* brought);

enum class Shuffle { from_lane, exclusive_or, down };

/// One lane's part of a shuffle.
struct ShuffleLane {
  uint64_t given, taken;
  int argument;
};

void shuffle(Shuffle form, ShuffleLane& lane);

template <class T>
T shuffle(Shuffle form, T value, int argument) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles exchange 4 or 8 bytes");
  ShuffleLane lane{0, 0, argument};
  std::memcpy(&lane.given, &value, sizeof(T));
  shuffle(form, lane);
  std::memcpy(&value, &lane.taken, sizeof(T));
  return value;
}

unsigned ballot(bool condition);

}  // namespace videomae::cuda::emu
