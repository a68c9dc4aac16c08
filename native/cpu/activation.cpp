#include "cpu/activation.h"

#include "core/instruction_set.h"
#include "cpu/activation_kernel.h"

namespace videomae::cpu {
namespace {

const ActivationKernelSet& kernels() {
#if defined(__x86_64__)
  const InstructionSet set = current_instruction_set();
  if (set >= InstructionSet::kAvx512) return kActivationAvx512;
  if (set >= InstructionSet::kAvx2) return kActivationAvx2;
#endif
  return kActivationPortable;
}

}  // namespace

template <>
void gelu_backward<float>(int64_t n, const float* x, const float* gradient, float* out) {
  kernels().gelu_backward_f32(n, x, gradient, out);
}

template <>
void gelu_backward<double>(int64_t n, const double* x, const double* gradient, double* out) {
  kernels().gelu_backward_f64(n, x, gradient, out);
}

}  // namespace videomae::cpu
