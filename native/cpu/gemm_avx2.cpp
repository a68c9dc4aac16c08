// The product kernels for AVX2 with FMA: 32-byte vectors, 16 registers.
// Compiled with the flags of that instruction set; called only when the processor has it.
#include "cpu/gemm_wide.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx2 {
  static constexpr int vector_bytes = 32;
  static constexpr int rows = 6;
};

}  // namespace

template <class T>
constexpr GemmKernels<T> kernels() {
  return GemmKernel<Avx2, T, WideFormat<Avx2, T>>::table();
}

const GemmKernelSet kGemmAvx2 = {kernels<double>(), kernels<float>(), kernels<bf16>()};

}  // namespace videomae
#endif
