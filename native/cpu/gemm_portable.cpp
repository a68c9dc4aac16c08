// The product kernels for any processor: 16-byte vectors, 16 registers.
#include "cpu/gemm_wide.h"

namespace videomae {
namespace {

struct Portable {
  static constexpr int vector_bytes = 16;
  static constexpr int rows = 4;
};

}  // namespace

template <class T>
constexpr GemmKernels<T> kernels() {
  return GemmKernel<Portable, T, WideFormat<Portable, T>>::table();
}

const GemmKernelSet kGemmPortable = {kernels<double>(), kernels<float>(), kernels<bf16>()};

}  // namespace videomae
