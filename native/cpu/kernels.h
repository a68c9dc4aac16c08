// The CPU kernels: one overload of run() an op, each in the file of the op's stem.
#pragma once

#include "core/convert.h"
#include "ops/execute.h"

namespace videomae::cpu {

#define OP(Type, stem) void run(Type& op, const Context& context);
#include "ops/ops.def"
#undef OP

/// Calls body(T{}) with the C++ type of a floating dtype, which infer() has checked to be f64, f32 or bf16. Kernels
/// compute in wide_t<T>: they widen() what they load and round once, by convert<T>(), what they store.
template <class F>
void with_real(DType dtype, F&& body) {
  if (dtype == DType::f64)
    body(double{});
  else if (dtype == DType::f32)
    body(float{});
  else
    body(bf16{});
}

/// The same for what infer() has checked to be f64 or f32: statistics, losses, parameters of no product.
template <class F>
void with_wide(DType dtype, F&& body) {
  if (dtype == DType::f64)
    body(double{});
  else
    body(float{});
}

/// Rows a piece of work takes so that it touches about 64 KiB: a function of shape only.
inline int64_t rows_per_piece(int64_t width) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, width)); }

}  // namespace videomae::cpu
