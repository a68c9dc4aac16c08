// Launches of emulated kernels, and the order in which the emulator lets threads and blocks run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "cuda/emu/device_memory.h"
#include "cuda/emu/language.h"

namespace videomae::cuda::emu {

/// A launch that has not run yet. Arguments are in `thread`, by value.
struct GridLaunch {
  const void* kernel;  ///< the function, for its name
  dim3 grid, block;
  size_t shared_bytes;
  int cluster;
  bool programmatic;
  std::function<void()> thread;  ///< runs the kernel's body as the current thread
  OperandList operands;          ///< what it may touch; null: any memory of the device
};

/// Runs a launch to its end.
/// @throws Error naming the kernel for every mistake that the emulator finds
void run(const GridLaunch& launch);

/// Who takes launches: by default they run at once. A runtime with streams and graphs puts its own queue here, from
/// which it calls run().
using Queue = void (*)(void* stream, GridLaunch&& launch);
void set_queue(Queue queue);
void enqueue(void* stream, GridLaunch&& launch);

/// In which order threads of a block, and blocks of a grid, are let run when several may.
enum class Order { forward, reversed, random };

/// Beginning with VIDEOMAE_EMU_ORDER (forward, reversed, random: the default) and VIDEOMAE_EMU_SEED (default 1).
/// Launches that follow are numbered from 0 again: the same calls run in the same order.
void set_order(Order order, uint64_t seed);

}  // namespace videomae::cuda::emu
