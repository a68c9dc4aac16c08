// The linear layer's gradient through bias and GELU for any processor: 16-byte vectors.
#include "cpu/linear_epilogue_kernel.h"

namespace videomae {
namespace {

struct Portable {
  static constexpr int vector_bytes = 16;
};

}  // namespace

const EpilogueGradientKernels kEpilogueGradientPortable = EpilogueGradientKernel<Portable>::table();

}  // namespace videomae
