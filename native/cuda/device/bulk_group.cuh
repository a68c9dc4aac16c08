// Bulk groups (capability 9.0): how the thread that issued stores and reductions of the copy engine waits for them.
#pragma once

#include "cuda/device/kernel.cuh"

#if !VIDEOMAE_CUDA
#include "cuda/emu/bulk_copy.h"
#endif

namespace videomae::cuda {

__device__ __forceinline__ void bulk_commit() {
#if VIDEOMAE_CUDA
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
#else
  emu::bulk_commit();
#endif
}

/// Until at most the `pending` newest groups have not finished reading shared memory, which may then be overwritten.
template <int pending>
__device__ __forceinline__ void bulk_wait_read() {
#if VIDEOMAE_CUDA
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(pending) : "memory");
#else
  emu::bulk_wait(pending, true);
#endif
}

/// Until at most the `pending` newest groups have not finished; their writes are then visible to this thread.
template <int pending>
__device__ __forceinline__ void bulk_wait() {
#if VIDEOMAE_CUDA
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(pending) : "memory");
#else
  emu::bulk_wait(pending, false);
#endif
}

}  // namespace videomae::cuda
