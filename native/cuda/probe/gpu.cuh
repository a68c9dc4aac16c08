// What every probe's host side uses: memory, launches, and the wait for a kernel's end.
#pragma once

#include "cuda/device/buffer.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/shared_memory.cuh"

namespace videomae::probe {

using cuda::block_sync;
using cuda::Buffer;
using cuda::launch;
using cuda::shared_memory;

constexpr cuda::DefaultStream context;

/// Waits for a kernel. Throws Error with its name when it failed.
inline void finish(const std::string& kernel) { cuda::synchronize(kernel.c_str()); }

}  // namespace videomae::probe
