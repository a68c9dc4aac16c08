// An op of bf16 run by its f32 kernel, on widened copies of its operands; results are rounded once. For kernels that
// have no bf16 path of their own. Costs the copies: memory of twice the operands and results, and one pass over them.
#pragma once

#include <vector>

#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

/// Replaces every bf16 operand by an f32 copy.
struct WidenOperands {
  void operator()(const char*, In& x) {
    if (x.dtype() != DType::bf16) return;
    const Tensor copy = Tensor::empty(x.shape(), DType::f32);
    convert_elements<bf16, float>(x.tensor, copy);
    x.tensor = copy;
  }
  void operator()(const char* operand, OptionalIn& x) {
    if (x.given()) (*this)(operand, static_cast<In&>(x));
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Makes f32 results in place of bf16 ones, and remembers both.
struct WidenResults {
  std::vector<std::pair<Tensor, Tensor>> pairs;  // bf16, f32
  void operator()(const char*, Out& y) {
    if (y.dtype != DType::bf16) return;
    const Tensor narrow = y.tensor;
    y.set(y.shape, DType::f32);
    y.tensor = Tensor::empty(y.shape, y.dtype);
    pairs.emplace_back(narrow, y.tensor);
  }
  void operator()(const char* result, OptionalOut& y) {
    if (y.wanted) (*this)(result, static_cast<Out&>(y));
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// The op's workspace() must be that of its f32 twin.
template <class Op>
void run_widened(const Op& op, const Context& context) {
  Op wide = op;
  WidenOperands operands;
  wide.visit(operands);
  WidenResults results;
  wide.visit(results);
  run(wide, context);
  for (const auto& [narrow, y] : results.pairs) convert_elements<float, bf16>(y, narrow);
}

}  // namespace videomae::cpu
