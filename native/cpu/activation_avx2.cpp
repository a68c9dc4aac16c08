// Element-wise kernels for the avx2 instruction set.
#include "cpu/activation_kernel.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx2 {
  static constexpr int vector_bytes = 32;
};

}  // namespace

const ActivationKernelSet kActivationAvx2 = ActivationKernel<Avx2>::table();

}  // namespace videomae
#endif
