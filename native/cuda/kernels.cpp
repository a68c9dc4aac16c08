// The kernel table of a plug-in. It lists every op of ops.def, so a missing kernel is a link error that names it.
#include "cuda/kernels.h"

namespace videomae::cuda {
namespace {

template <class Op>
constexpr Kernel kernel = {[](void* op, const Context& context) { run(*static_cast<Op*>(op), context); },
                           [](const void* op) { return workspace(*static_cast<const Op*>(op)); }};

const KernelTable table = {{
#define OP(Type, stem) kernel<Type>,
#include "ops/ops.def"
#undef OP
}};

const char* const names[] = {
#define OP(Type, stem) Type::name,
#include "ops/ops.def"
#undef OP
};

}  // namespace

const Kernel& kernel_of(int32_t id) { return table.kernels[id]; }
const char* name_of_op(int32_t id) { return names[id]; }

}  // namespace videomae::cuda
