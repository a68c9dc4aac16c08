// Element-wise kernels for the avx512 instruction set.
#include "cpu/activation_kernel.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx512 {
  static constexpr int vector_bytes = 64;
};

}  // namespace

const ActivationKernelSet kActivationAvx512 = ActivationKernel<Avx512>::table();

}  // namespace videomae
#endif
