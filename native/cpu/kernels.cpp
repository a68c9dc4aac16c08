// The CPU's kernel table. It lists every op of ops.def, so a missing kernel is a link error that names it.
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

template <class Op>
void call(void* op, const Context& context) {
  run(*static_cast<Op*>(op), context);
}

const KernelTable table = {{
#define OP(Type, stem) call<Type>,
#include "ops/ops.def"
#undef OP
}};

const bool registered = (register_kernels(DeviceKind::cpu, &table), true);

}  // namespace
}  // namespace videomae::cpu
