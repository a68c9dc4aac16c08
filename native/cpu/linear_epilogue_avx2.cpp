// The linear layer's gradient through bias and GELU for AVX2 with FMA: 32-byte vectors.
// Compiled with the flags of that instruction set; called only when the processor has it.
#include "cpu/linear_epilogue_kernel.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx2 {
  static constexpr int vector_bytes = 32;
};

}  // namespace

const EpilogueGradientKernels kEpilogueGradientAvx2 = EpilogueGradientKernel<Avx2>::table();

}  // namespace videomae
#endif
