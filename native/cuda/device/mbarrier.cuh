// mbarrier (capability 9.0): a barrier in shared memory that counts arrivals and bytes. A phase ends when all expected
// arrivals and all expected bytes have come; then the next begins with the same count. Waiting names the parity of a
// phase, 0 for the first: it is over once the barrier is in the other parity.
#pragma once

#include "cuda/device/shared_address.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/mbarrier.h"
#endif

namespace videomae::cuda {

struct alignas(8) Mbarrier {
  uint64_t opaque;
};

/// One thread initialises; then fence_mbarrier_init() and a barrier of the block (or the cluster) before any use.
__device__ __forceinline__ void mbarrier_init(Mbarrier* barrier, uint32_t arrivals) {
#if VIDEOMAE_CUDA
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
#else
  emu::mbarrier_init(barrier, arrivals);
#endif
}

/// Makes initialised barriers visible to the asynchronous proxy and to the cluster.
__device__ __forceinline__ void fence_mbarrier_init() {
#if VIDEOMAE_CUDA
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#else
  emu::fence_mbarrier_init();
#endif
}

/// Ends the barrier's life; its memory may then be used for other things.
__device__ __forceinline__ void mbarrier_invalidate(Mbarrier* barrier) {
#if VIDEOMAE_CUDA
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
#else
  emu::mbarrier_invalidate(barrier);
#endif
}

__device__ __forceinline__ void mbarrier_arrive(Mbarrier* barrier) {
#if VIDEOMAE_CUDA
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
#else
  emu::mbarrier_arrive(barrier, 0);
#endif
}

/// Arrives after adding `bytes` to what the current phase waits for.
__device__ __forceinline__ void mbarrier_arrive_expect(Mbarrier* barrier, uint32_t bytes) {
#if VIDEOMAE_CUDA
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
               : "memory");
#else
  emu::mbarrier_arrive(barrier, bytes);
#endif
}

/// Adds `bytes` without arriving.
__device__ __forceinline__ void mbarrier_expect(Mbarrier* barrier, uint32_t bytes) {
#if VIDEOMAE_CUDA
  asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
               : "memory");
#else
  emu::mbarrier_expect(barrier, bytes);
#endif
}

/// Whether the phase of this parity is over; answers at once.
__device__ __forceinline__ bool mbarrier_test(Mbarrier* barrier, uint32_t parity) {
#if VIDEOMAE_CUDA
  uint32_t over;
  asm volatile(
      "{ .reg .pred p;\n"
      "  mbarrier.test_wait.parity.shared::cta.b64 p, [%1], %2;\n"
      "  selp.u32 %0, 1, 0, p; }"
      : "=r"(over)
      : "r"(shared_address(barrier)), "r"(parity)
      : "memory");
  return over != 0;
#else
  return emu::mbarrier_test(barrier, parity);
#endif
}

/// Likewise, but may sleep for a time that the system chooses before it says no.
__device__ __forceinline__ bool mbarrier_try(Mbarrier* barrier, uint32_t parity) {
#if VIDEOMAE_CUDA
  uint32_t over;
  asm volatile(
      "{ .reg .pred p;\n"
      "  mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
      "  selp.u32 %0, 1, 0, p; }"
      : "=r"(over)
      : "r"(shared_address(barrier)), "r"(parity)
      : "memory");
  return over != 0;
#else
  return emu::mbarrier_test(barrier, parity);
#endif
}

/// Until the phase of this parity is over. What arrivals and copies wrote before is then visible.
__device__ __forceinline__ void mbarrier_wait(Mbarrier* barrier, uint32_t parity) {
#if VIDEOMAE_CUDA
  while (!mbarrier_try(barrier, parity)) {
  }
#else
  emu::mbarrier_wait(barrier, parity);
#endif
}

}  // namespace videomae::cuda
