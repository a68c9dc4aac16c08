// Programmatic dependent launch (capability 9.0): a kernel launched with
// cudaLaunchAttributeProgrammaticStreamSerialization (Launch::programmatic) may begin before the one ahead of it in the
// stream has ended. Its blocks take the places that are left once all blocks of the one ahead have begun, and so
// neither the launch nor the last blocks of the kernel ahead are waited for twice.
//
// What holds this together: every thread of every kernel waits before it touches memory of the device, and before it
// ends. Then a kernel that has ended has seen the end of the one ahead, which has seen the end of the one before it:
// all that is behind a kernel, be it a copy, a product of a library or a kernel of a plain launch, is behind all of its
// past. The emulator holds kernels to it.
#pragma once

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

/// Until the kernels ahead have ended and their writes are visible. Without the launch attribute it returns at once.
__device__ __forceinline__ void dependent_launch_wait() {
#if VIDEOMAE_CUDA
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
#else
  emu::dependent_launch_wait();
#endif
}

/// The next kernel may begin once every block of this one has called this or ended.
__device__ __forceinline__ void dependent_launch_allow() {
#if VIDEOMAE_CUDA
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
#else
  emu::dependent_launch_allow();
#endif
}

/// The first statement of every kernel of the plug-in: waits for the kernels ahead, and lets the next come, which waits
/// likewise. Nothing without the launch attribute, nor below capability 9.0.
__device__ __forceinline__ void dependent_launch_begin() {
  dependent_launch_wait();
  dependent_launch_allow();
}

}  // namespace videomae::cuda
