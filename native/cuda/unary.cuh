// An element-wise function, for ops that need one besides their own kernels.
#pragma once

#include "cuda/kernels.h"
#include "ops/unary.h"

namespace videomae::cuda {

/// Starts y = f(x), element by element.
/// @param kind  a value of UnaryKind
/// @param dtype  f32 or bf16, of both
void start_unary(const Context& context, int kind, DType dtype, const void* x, void* y, int64_t count);

}  // namespace videomae::cuda
