// Programmatic dependent launch (capability 9.0): a kernel launched with
// cudaLaunchAttributeProgrammaticStreamSerialization (Launch::programmatic) may begin before the one ahead of it in the
// stream has ended.
#pragma once

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

/// Until the kernels ahead have ended and their writes are visible. Without the launch attribute it returns at once.
__device__ __forceinline__ void dependent_launch_wait() {
#if VIDEOMAE_CUDA
  asm volatile("griddepcontrol.wait;" ::: "memory");
#else
  emu::dependent_launch_wait();
#endif
}

/// The next kernel may begin once every block of this one has called this or ended.
__device__ __forceinline__ void dependent_launch_allow() {
#if VIDEOMAE_CUDA
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#else
  emu::dependent_launch_allow();
#endif
}

}  // namespace videomae::cuda
