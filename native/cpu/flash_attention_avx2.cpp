// The attention kernels for AVX2 with FMA: 32-byte vectors, 16 registers.
// Compiled with the flags of that instruction set; called only when the processor has it.
#include "cpu/flash_attention_kernel.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx2 {
  static constexpr int vector_bytes = 32;
  static constexpr int rows = 6;
};

}  // namespace

const AttentionKernelSet kAttentionAvx2 = {AttentionKernel<Avx2, float>::table(),
                                           AttentionKernel<Avx2, double>::table(),
                                           AttentionKernel<Avx2, bf16>::table()};

}  // namespace videomae
#endif
