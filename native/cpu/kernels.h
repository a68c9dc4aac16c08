// The CPU kernels: one overload of run() an op, each in the file of the op's stem.
#pragma once

#include "core/error.h"
#include "ops/execute.h"

namespace videomae::cpu {

#define OP(Type, stem) void run(Type& op, const Context& context);
#include "ops/ops.def"
#undef OP

/// Calls body(T{}) with the C++ type of f32 or f64. Throws Error for bf16.
template <class F>
void with_real(DType dtype, F&& body) {
  if (dtype == DType::f64)
    body(double{});
  else if (dtype == DType::f32)
    body(float{});
  else
    throw Error("kernel", "f32 or f64", name_of(dtype), "convert it with cast()");
}

/// Rows a piece of work takes so that it touches about 64 KiB: a function of shape only.
inline int64_t rows_per_piece(int64_t width) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, width)); }

}  // namespace videomae::cpu
