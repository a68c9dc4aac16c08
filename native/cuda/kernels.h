// The kernels of a device: for every op, what it runs and the scratch memory it needs, each in the file of the op's
// stem. Pointers in an op are the device's. A kernel that meets an index out of range leaves it alone and writes
// fault_code<Op>() to *context.fault.
#pragma once

#include <cstddef>

#include "ops/context.h"

namespace videomae::cuda {

#define OP(Type, stem)                        \
  void run(Type& op, const Context& context); \
  size_t workspace(const Type& op);
#include "ops/ops.def"
#undef OP

// ---- by the number of an op ----

size_t workspace_of_op(int32_t id, const void* op);
/// Runs an op on a device.
void run_op(int device, int32_t id, void* op, const Context& context);
const char* name_of_op(int32_t id);

}  // namespace videomae::cuda
