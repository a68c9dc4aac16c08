// The tensor map of a case.
#pragma once

#include "cuda/device/tensor_map.cuh"
#include "cuda/probe/tma_cases.h"

namespace videomae::probe {

inline CUtensorMap tma_map(const TmaCase& c, const void* global) {
  uint64_t size[3], stride_bytes[2];
  uint32_t box[3];
  for (int axis = 0; axis < 3; ++axis) size[axis] = c.size[axis], box[axis] = c.box[axis];
  for (int axis = 0; axis < 2; ++axis) stride_bytes[axis] = static_cast<uint64_t>(c.pitch[axis]) * 2;
  return cuda::bf16_tensor_map(global, c.rank, size, stride_bytes, box, c.swizzle,
                               c.nan_fill ? cuda::Fill::nan : cuda::Fill::zero);
}

}  // namespace videomae::probe
