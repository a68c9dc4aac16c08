// The CPU's kernel table. It lists every op of ops.def, so a missing kernel is a link error that names it.
#include "cpu/kernels.h"

namespace videomae::cpu {
namespace {

template <class Op>
constexpr Kernel kernel = {[](void* op, const Context& context) { run(*static_cast<Op*>(op), context); },
                           [](const void* op) { return static_cast<const Op*>(op)->workspace(DeviceKind::cpu); }};

const KernelTable table = {{
#define OP(Type, stem) kernel<Type>,
#include "ops/ops.def"
#undef OP
}};

const bool registered = (register_kernels(&table), true);

}  // namespace
}  // namespace videomae::cpu
