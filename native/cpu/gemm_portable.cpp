// The product kernels for any processor: 16-byte vectors, 16 registers.
#include "cpu/gemm_kernel.h"

namespace videomae {
namespace {

struct Portable {
  static constexpr int vector_bytes = 16;
  static constexpr int rows = 4;
};

}  // namespace

const GemmKernelSet kGemmPortable = {GemmKernel<Portable, float>::table(), GemmKernel<Portable, double>::table()};

}  // namespace videomae
