// Bulk groups (capability 9.0): how the thread that issued stores and reductions of the copy engine waits for them.
#pragma once

namespace videomae::cuda {

__device__ __forceinline__ void bulk_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

/// Until at most the `pending` newest groups have not finished reading shared memory, which may then be overwritten.
template <int pending>
__device__ __forceinline__ void bulk_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(pending) : "memory");
}

/// Until at most the `pending` newest groups have not finished; their writes are then visible to this thread.
template <int pending>
__device__ __forceinline__ void bulk_wait() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(pending) : "memory");
}

}  // namespace videomae::cuda
