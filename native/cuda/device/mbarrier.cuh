// mbarrier (capability 9.0): a barrier in shared memory that counts arrivals and bytes. A phase ends when all expected
// arrivals and all expected bytes have come; then the next begins with the same count. Waiting names the parity of a
// phase, 0 for the first: it is over once the barrier is in the other parity.
#pragma once

#include "cuda/device/shared_address.cuh"

namespace videomae::cuda {

struct alignas(8) Mbarrier {
  uint64_t opaque;
};

/// One thread initialises; then fence_mbarrier_init() and a barrier of the block (or the cluster) before any use.
__device__ __forceinline__ void mbarrier_init(Mbarrier* barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
}

/// Makes initialised barriers visible to the asynchronous proxy and to the cluster.
__device__ __forceinline__ void fence_mbarrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

/// Ends the barrier's life; its memory may then be used for other things.
__device__ __forceinline__ void mbarrier_invalidate(Mbarrier* barrier) {
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
}

__device__ __forceinline__ void mbarrier_arrive(Mbarrier* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}

/// Arrives after adding `bytes` to what the current phase waits for.
__device__ __forceinline__ void mbarrier_arrive_expect(Mbarrier* barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
               : "memory");
}

/// Adds `bytes` without arriving.
__device__ __forceinline__ void mbarrier_expect(Mbarrier* barrier, uint32_t bytes) {
  asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
               : "memory");
}

/// Whether the phase of this parity is over; answers at once.
__device__ __forceinline__ bool mbarrier_test(Mbarrier* barrier, uint32_t parity) {
  uint32_t over;
  asm volatile(
      "{ .reg .pred p;\n"
      "  mbarrier.test_wait.parity.shared::cta.b64 p, [%1], %2;\n"
      "  selp.u32 %0, 1, 0, p; }"
      : "=r"(over)
      : "r"(shared_address(barrier)), "r"(parity)
      : "memory");
  return over != 0;
}

/// Likewise, but may sleep for a time that the system chooses before it says no.
__device__ __forceinline__ bool mbarrier_try(Mbarrier* barrier, uint32_t parity) {
  uint32_t over;
  asm volatile(
      "{ .reg .pred p;\n"
      "  mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
      "  selp.u32 %0, 1, 0, p; }"
      : "=r"(over)
      : "r"(shared_address(barrier)), "r"(parity)
      : "memory");
  return over != 0;
}

/// Until the phase of this parity is over. What arrivals and copies wrote before is then visible.
__device__ __forceinline__ void mbarrier_wait(Mbarrier* barrier, uint32_t parity) {
  while (!mbarrier_try(barrier, parity)) {
  }
}

}  // namespace videomae::cuda
