// Element-wise kernels for the portable instruction set.
#include "cpu/activation_kernel.h"

namespace videomae {
namespace {

struct Portable {
  static constexpr int vector_bytes = 16;
};

}  // namespace

const ActivationKernelSet kActivationPortable = ActivationKernel<Portable>::table();

}  // namespace videomae
