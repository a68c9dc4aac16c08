#include "cpu/row_kernels.h"

#include "core/instruction_set.h"

namespace videomae {
namespace {

const RowKernelSet& current_set() {
#if defined(__x86_64__)
  const InstructionSet set = current_instruction_set();
  if (set >= InstructionSet::kAvx512) return kRowsAvx512;
  if (set >= InstructionSet::kAvx2) return kRowsAvx2;
#endif
  return kRowsPortable;
}

}  // namespace

template <>
const RowKernels<double>& row_kernels() {
  return current_set().rows_f64;
}
template <>
const RowKernels<float>& row_kernels() {
  return current_set().rows_f32;
}
template <>
const RowKernels<bf16>& row_kernels() {
  return current_set().rows_bf16;
}
template <>
const ParameterKernels<double>& parameter_kernels() {
  return current_set().parameters_f64;
}
template <>
const ParameterKernels<float>& parameter_kernels() {
  return current_set().parameters_f32;
}

}  // namespace videomae
