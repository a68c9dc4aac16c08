// The attention kernels for AVX-512: 64-byte vectors, 32 registers.
// Compiled with the flags of that instruction set; called only when the processor has it.
#include "cpu/flash_attention_kernel.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx512 {
  static constexpr int vector_bytes = 64;
  static constexpr int rows = 14;
};

}  // namespace

const AttentionKernelSet kAttentionAvx512 = {AttentionKernel<Avx512, float>::table(),
                                             AttentionKernel<Avx512, double>::table(),
                                             AttentionKernel<Avx512, bf16>::table()};

}  // namespace videomae
#endif
