// The kernel table of a plug-in. It lists every op of ops.def, so a missing kernel is a link error that names it.
#include "cuda/kernels.h"

#include "cuda/measuring.h"
#include "cuda/runtime.h"
#include "cuda/variants.h"
#include "ops/execute.h"

namespace videomae::cuda {
namespace {

/// Collects what an op's kernels may touch.
struct OperandRanges {
  std::vector<runtime::OperandRange> ranges;

  void add(const char* field, const Tensor& t, bool written) {
    if (t.defined()) ranges.push_back({field, t.data(), t.bytes(), written});
  }
  void operator()(const char* field, In& x) { add(field, x.tensor, false); }
  void operator()(const char* field, OptionalIn& x) { add(field, x.tensor, false); }
  void operator()(const char* field, InOut& x) { add(field, x.tensor, true); }
  void operator()(const char* field, InList& x) {
    for (const Tensor& t : x.tensors) add(field, t, false);
  }
  void operator()(const char* field, Out& y) { add(field, y.tensor, true); }
  void operator()(const char* field, OptionalOut& y) { add(field, y.tensor, true); }
  void operator()(const char* field, AddedOut& y) { add(field, y.tensor, true); }
  template <class Other>
  void operator()(const char*, Other&) {}
};

template <class Op>
std::vector<runtime::OperandRange> ranges_of(void* op, const Context& context) {
  OperandRanges operands;
  static_cast<Op*>(op)->visit(operands);
  if (const size_t bytes = workspace(*static_cast<Op*>(op)))
    operands.ranges.push_back({"workspace", context.workspace, bytes, true});
  operands.ranges.push_back({"fault", context.fault, sizeof(int32_t), true});
  return operands.ranges;
}

using Ranges = std::vector<runtime::OperandRange> (*)(void* op, const Context&);

/// Collects what an op writes, and whether it handles bf16.
struct WrittenTensors {
  std::vector<WrittenTensor> written;
  bool coarse = false;

  void see(const Tensor& t) { coarse = coarse || (t.defined() && t.dtype() == DType::bf16); }
  void add(const Tensor& t, bool changed) {
    see(t);
    if (t.defined()) written.push_back({t.data(), t.elements(), t.dtype(), changed});
  }
  void operator()(const char*, In& x) { see(x.tensor); }
  void operator()(const char*, OptionalIn& x) { see(x.tensor); }
  void operator()(const char*, InOut& x) { add(x.tensor, true); }
  void operator()(const char*, InList& x) {
    for (const Tensor& t : x.tensors) see(t);
  }
  void operator()(const char*, Out& y) { add(y.tensor, false); }
  void operator()(const char*, OptionalOut& y) { add(y.tensor, false); }
  void operator()(const char*, AddedOut& y) { add(y.tensor, y.adds); }
  template <class Other>
  void operator()(const char*, Other&) {}
};

template <class Op>
WrittenTensors written_by(void* op) {
  WrittenTensors tensors;
  static_cast<Op*>(op)->visit(tensors);
  return tensors;
}

using Written = WrittenTensors (*)(void* op);

const Written written[] = {
#define OP(Type, stem) written_by<Type>,
#include "ops/ops.def"
#undef OP
};

const Ranges ranges[] = {
#define OP(Type, stem) ranges_of<Type>,
#include "ops/ops.def"
#undef OP
};

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

/// Whether an op's kernels may begin before those ahead have ended: "launch layerNorm = programmatic".
bool launches_early(const char* op, const Context& context) {
  return context.limits.capability == 90 && chosen_variant({"launch", op, {}}, {"plain", "programmatic"}) == 1;
}

}  // namespace

size_t workspace_of_op(int32_t id, const void* op) { return table.kernels[id].workspace(op); }

void run_op(int device, int32_t id, void* op, const Context& context) {
  using Operands = std::vector<runtime::OperandRange>;
  const LaunchesOn launches(device);
  const auto run = [&] {
    const runtime::OpRange range(device, names[id], runtime::watches_operands ? ranges[id](op, context) : Operands());
    Context own = context;
    own.programmatic = launches_early(names[id], context);
    table.kernels[id].run(op, own);
  };
  if (!measuring(device)) return run();
  const WrittenTensors tensors = written[id](op);
  measure(device, {names[id], tensors.written, tensors.coarse, run});
}

const char* name_of_op(int32_t id) { return names[id]; }

}  // namespace videomae::cuda
