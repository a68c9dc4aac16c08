// Indices that come from a tensor on the device. The host has not seen their values, so a kernel checks each: one out
// of range is not followed, and the device's fault word names the op at the next synchronisation.
#pragma once

#include "cuda/device/atomic.cuh"
#include "cuda/device/kernel.cuh"
#include "cuda/kernels.h"

namespace videomae::cuda {

class IndexCheck {
 public:
  template <class Op>
  static IndexCheck of(const Op&, const Context& context) {
    return {context.fault, fault_code<Op>()};
  }

  /// The index, or -1 when it is not in [0, limit).
  __device__ __forceinline__ int64_t operator()(int32_t index, int64_t limit) const {
    if (index >= 0 && index < limit) return index;
    atomic_max(fault_, code_);  // threads of several blocks may say so
    return -1;
  }

 private:
  IndexCheck(int32_t* fault, int32_t code) : fault_(fault), code_(code) {}

  int32_t* fault_;
  int32_t code_;
};

}  // namespace videomae::cuda
