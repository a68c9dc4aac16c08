// The attention kernels for any processor: 16-byte vectors, 16 registers.
#include "cpu/flash_attention_kernel.h"

namespace videomae {
namespace {

struct Portable {
  static constexpr int vector_bytes = 16;
  static constexpr int rows = 4;
};

}  // namespace

const AttentionKernelSet kAttentionPortable = {AttentionKernel<Portable, float>::table(),
                                               AttentionKernel<Portable, double>::table(),
                                               AttentionKernel<Portable, bf16>::table()};

}  // namespace videomae
