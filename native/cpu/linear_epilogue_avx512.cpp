// The linear layer's gradient through bias and GELU for AVX-512: 64-byte vectors.
// Compiled with the flags of that instruction set; called only when the processor has it.
#include "cpu/linear_epilogue_kernel.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx512 {
  static constexpr int vector_bytes = 64;
};

}  // namespace

const EpilogueGradientKernels kEpilogueGradientAvx512 = EpilogueGradientKernel<Avx512>::table();

}  // namespace videomae
#endif
