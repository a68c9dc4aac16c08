// Kernels over rows and ranges for any processor.
#include "cpu/row_kernels_table.h"

namespace videomae {
namespace {

struct Portable {
  static constexpr int vector_bytes = 16;
};

}  // namespace

const RowKernelSet kRowsPortable = row_kernel_set<Portable>();

}  // namespace videomae
