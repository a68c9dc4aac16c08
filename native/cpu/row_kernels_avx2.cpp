// Kernels over rows and ranges for avx2: compiled with its flags, called only when the processor has it.
#include "cpu/row_kernels_table.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx2 {
  static constexpr int vector_bytes = 32;
};

}  // namespace

const RowKernelSet kRowsAvx2 = row_kernel_set<Avx2>();

}  // namespace videomae
#endif
