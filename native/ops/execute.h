// Runs an op: checks that its operands are alive and on one device, infers, allocates the outputs and the scratch
// memory, and calls the kernel of that device. In a rehearsal (core/allocator.h) all but the kernel.
#pragma once

#include "ops/all.h"

namespace videomae {

/// What a kernel gets besides its op.
struct Context {
  void* workspace;  // as many bytes as the op's workspace() asked for, 64-byte aligned
};

using Kernel = void (*)(void* op, const Context&);

/// A device's kernels, one for every op, in the order of ops.def.
struct KernelTable {
  Kernel kernels[static_cast<int>(OpId::count)];
};

/// Announces a device's kernels. The CPU's are there when the library is loaded.
void register_kernels(DeviceKind device, const KernelTable* table);

/// The kernel of an op on a device. Throws Error when no such device has been registered.
Kernel find_kernel(DeviceKind device, OpId id, const char* op);

// ---- visitors ----

/// Checks that inputs are live and finds the device they share.
struct OperandCheck {
  const char* op;
  const char* first = nullptr;
  DeviceKind device = DeviceKind::cpu;

  void one(const char* operand, const Tensor& t) {
    check(t.defined(), op, std::string("a live tensor as ") + operand, "a freed one",
          "it was disposed of, or its scope() has ended: use keep() to carry a tensor out of a scope");
    check(rehearsing() || !t.counted(), op, std::string("memory behind ") + operand, "a tensor of a rehearsal");
    if (first == nullptr) first = operand, device = t.device();
    check(t.device() == device, op, std::string(operand) + " on " + name_of(device) + ", where " + first + " is",
          name_of(t.device()), "make it on the same device");
  }
  void operator()(const char* operand, In& x) { one(operand, x.tensor); }
  void operator()(const char* operand, InOut& x) { one(operand, x.tensor); }
  void operator()(const char* operand, OptionalIn& x) {
    if (x.given()) one(operand, x.tensor);
  }
  void operator()(const char* operand, InList& x) {
    for (const Tensor& t : x.tensors) one(operand, t);
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

struct OutputAllocation {
  DeviceKind device;
  void operator()(const char*, Out& y) { y.tensor = Tensor::empty(y.shape, y.dtype, device); }
  void operator()(const char*, OptionalOut& y) {
    if (y.wanted) y.tensor = Tensor::empty(y.shape, y.dtype, device);
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

template <class Op>
void execute(Op& op) {
  OperandCheck operands{Op::name};
  op.visit(operands);
  op.infer();
  const Kernel kernel = find_kernel(operands.device, IdOf<Op>::value, Op::name);
  OutputAllocation outputs{operands.device};
  op.visit(outputs);
  std::shared_ptr<Block> scratch;
  if (const size_t bytes = op.workspace(operands.device)) scratch = allocate(bytes);
  if (rehearsing()) return;  // memory is counted, and nothing is computed
  kernel(&op, Context{scratch ? scratch->data : nullptr});
}

}  // namespace videomae
