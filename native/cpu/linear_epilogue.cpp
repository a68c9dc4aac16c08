#include "cpu/linear_epilogue.h"

#include <algorithm>

#include "core/instruction_set.h"
#include "core/thread_pool.h"
#include "cpu/linear_epilogue_kernel.h"
#include "cpu/partial_sums.h"

namespace videomae::cpu {
namespace {

constexpr int64_t kColumns = 512;  // of a piece of work

const EpilogueGradientKernels& current_set() {
#if defined(__x86_64__)
  const InstructionSet set = current_instruction_set();
  if (set >= InstructionSet::kAvx512) return kEpilogueGradientAvx512;
  if (set >= InstructionSet::kAvx2) return kEpilogueGradientAvx2;
#endif
  return kEpilogueGradientPortable;
}

template <class T>
void spread(const EpilogueGradient<T>& g, EpilogueGradientBlock<T> block) {
  const int64_t blocks = (g.m + g.rows_per_block - 1) / g.rows_per_block, strips = (g.n + kColumns - 1) / kColumns;
  parallel_for(blocks * strips, [&](int64_t i) {
    const int64_t row = i / strips * g.rows_per_block, column = i % strips * kColumns;
    block(g, row, std::min(g.m, row + g.rows_per_block), column, std::min(g.n, column + kColumns),
          g.partials + i / strips * g.n);
  });
  if (g.bias != nullptr) add_up_rows(blocks, g.n, g.partials, g.n, g.bias, g.accumulate);
}

}  // namespace

template <>
void linear_epilogue_backward(const EpilogueGradient<double>& g) {
  spread(g, current_set().of_f64);
}
template <>
void linear_epilogue_backward(const EpilogueGradient<float>& g) {
  spread(g, current_set().of_f32);
}
template <>
void linear_epilogue_backward(const EpilogueGradient<bf16>& g) {
  spread(g, current_set().of_bf16);
}

}  // namespace videomae::cpu
