// setmaxnreg (capability 9.0a): a warpgroup gives registers back, or asks for more and waits until they are free.
//
// A multiple of 8 from 24 to 256, for a whole warpgroup at once. The kernel needs a register count at entry
// (__launch_bounds__(threads, 1)), and each role one branch of a single if/else; otherwise ptxas ignores it (C7508).
#pragma once

#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

template <int registers>
__device__ __forceinline__ void register_budget_raise() {
  static_assert(registers >= 24 && registers <= 256 && registers % 8 == 0, "a multiple of 8 from 24 to 256");
#if VIDEOMAE_CUDA
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
#endif
}

template <int registers>
__device__ __forceinline__ void register_budget_lower() {
  static_assert(registers >= 24 && registers <= 256 && registers % 8 == 0, "a multiple of 8 from 24 to 256");
#if VIDEOMAE_CUDA
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
#endif
}

/// Registers a thread of a kernel when it begins; 0 on the emulator, which has none.
template <class Kernel>
int registers_at_entry(Kernel* kernel) {
#if VIDEOMAE_CUDA
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, kernel) == cudaSuccess ? attributes.numRegs : -1;
#else
  (void)kernel;
  return 0;
#endif
}

}  // namespace videomae::cuda
