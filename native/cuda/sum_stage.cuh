// One stage of a sum, for the ops that add up rows or columns. How a sum is cut depends on the shape only, so the bits
// are the same on every GPU and in every run.
#pragma once

#include "cuda/kernels.h"
#include "ops/sum.h"

namespace videomae::cuda {

/// Over x (outer, n, inner), in blocks along the middle: y (outer, blocks, inner) of sums of `block` elements.
struct SumStage {
  Sum::Stage shape;
  const void* x;
  DType from;  // f32 or bf16
  void* y;
  DType to;                        // f32 or bf16
  int64_t x_distance, y_distance;  // elements from one entry of the outer axis to the next
  bool accumulate = false;         // the sums are added to what y holds

  /// A stage between contiguous tensors.
  static SumStage contiguous(const Sum::Stage& s, const void* x, DType from, void* y, DType to) {
    return {s, x, from, y, to, s.n * s.inner, s.blocks() * s.inner};
  }
};

void sum_stage(const Context& context, const SumStage& stage);

}  // namespace videomae::cuda
