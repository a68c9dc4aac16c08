// The product kernels for AVX-512: 64-byte vectors, 32 registers.
// Compiled with the flags of that instruction set; called only when the processor has it.
#include "cpu/gemm_wide.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx512 {
  static constexpr int vector_bytes = 64;
  static constexpr int rows = 14;
};

}  // namespace

template <class T>
constexpr GemmKernels<T> kernels() {
  return GemmKernel<Avx512, T, WideFormat<Avx512, T>>::table();
}

const GemmKernelSet kGemmAvx512 = {kernels<double>(), kernels<float>(), kernels<bf16>()};

}  // namespace videomae
#endif
