// Programmatic dependent launch (capability 9.0): a kernel launched with
// cudaLaunchAttributeProgrammaticStreamSerialization may begin before the one ahead of it in the stream has ended.
#pragma once

namespace videomae::cuda {

/// Until the kernels ahead have ended and their writes are visible. Without the launch attribute it returns at once.
__device__ __forceinline__ void dependent_launch_wait() { asm volatile("griddepcontrol.wait;" ::: "memory"); }

/// The next kernel may begin once every block of this one has called this or ended.
__device__ __forceinline__ void dependent_launch_allow() {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

}  // namespace videomae::cuda
