// Kernels over rows and ranges for avx512: compiled with its flags, called only when the processor has it.
#include "cpu/row_kernels_table.h"

#if defined(__x86_64__)
namespace videomae {
namespace {

struct Avx512 {
  static constexpr int vector_bytes = 64;
};

}  // namespace

const RowKernelSet kRowsAvx512 = row_kernel_set<Avx512>();

}  // namespace videomae
#endif
