// Runs an op: checks that its operands are alive and on one device, infers, allocates the outputs and the scratch
// memory, and calls the kernel of that device. In a rehearsal (core/memory_home.h) all but the kernel.
#pragma once

#include "ops/all.h"
#include "ops/context.h"

namespace videomae {

/// How a device does an op. Functions get the op's struct.
struct Kernel {
  void (*run)(void* op, const Context&);
  size_t (*workspace)(const void* op);  // bytes of scratch
};

/// A device's kernels, one for every op, in the order of ops.def.
struct KernelTable {
  Kernel kernels[static_cast<int>(OpId::count)];
};

/// Announces the CPU's kernels. They are there when the library is loaded.
void register_kernels(const KernelTable* table);

/// Bytes of scratch that an op needs on a device. Throws Error when there is no such device.
size_t workspace_of(Device device, OpId id, const void* op);

/// Calls the kernel of an op.
void run_kernel(Device device, OpId id, void* op, void* workspace);

/// Inside a step on a device, what runs elsewhere would not be replayed. Throws Error then, naming the op.
void check_step(Device device, const char* op);

// ---- visitors ----

/// Checks that inputs are live and finds the device they share.
struct OperandCheck {
  const char* op;
  const char* first = nullptr;
  Device device;

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
  void operator()(const char* operand, AddedOut& y) {
    if (y.adds) one(operand, y.tensor);
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Makes the outputs, and checks what an output is added to.
struct OutputAllocation {
  const char* op;
  Device device;
  void operator()(const char*, Out& y) { y.tensor = Tensor::empty(y.shape, y.dtype, device); }
  void operator()(const char*, OptionalOut& y) {
    if (y.wanted) y.tensor = Tensor::empty(y.shape, y.dtype, device);
  }
  void operator()(const char* output, AddedOut& y) {
    if (!y.adds) return (*this)(output, static_cast<OptionalOut&>(y));
    const std::string wanted = y.wanted ? std::string(name_of(y.dtype)) + y.shape.text() : "nothing";
    check(y.wanted && y.tensor.dtype() == y.dtype && y.tensor.shape() == y.shape, op,
          wanted + " to add " + output + " to", y.tensor.text());
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Whether this thread records a step on a device.
bool recording();
/// Then: keeps what a tensor lies in for as long as the step can be replayed.
void hold_touched(const Tensor& tensor, bool written);

struct OperandHold {
  void operator()(const char*, In& x) { hold_touched(x.tensor, false); }
  void operator()(const char*, InOut& x) { hold_touched(x.tensor, true); }
  void operator()(const char*, OptionalIn& x) { hold_touched(x.tensor, false); }
  void operator()(const char*, InList& x) {
    for (const Tensor& t : x.tensors) hold_touched(t, false);
  }
  void operator()(const char*, Out& y) { hold_touched(y.tensor, false); }
  void operator()(const char*, OptionalOut& y) { hold_touched(y.tensor, false); }
  void operator()(const char*, AddedOut& y) { hold_touched(y.tensor, y.adds); }
  template <class Other>
  void operator()(const char*, Other&) {}
};

/// Says of what an op has changed in place that it has changed.
struct MarkWritten {
  void operator()(const char*, InOut& x) { x.tensor.mark_written(); }
  void operator()(const char*, AddedOut& y) {
    if (y.adds) y.tensor.mark_written();
  }
  template <class Other>
  void operator()(const char*, Other&) {}
};

template <class Op>
void execute(Op& op) {
  constexpr OpId id = IdOf<Op>::value;
  OperandCheck operands{Op::name};
  op.visit(operands);
  const Device device = operands.device;
  check_step(device, Op::name);
  op.infer();
  OutputAllocation outputs{Op::name, device};
  op.visit(outputs);
  std::shared_ptr<Block> scratch;
  if (const size_t bytes = workspace_of(device, id, &op)) scratch = allocate(bytes, device, Purpose::scratch);
  if (rehearsing()) return;  // memory is counted, and nothing is computed
  if (recording()) {
    OperandHold hold;
    op.visit(hold);
  }
  MarkWritten written;
  op.visit(written);
  run_kernel(device, id, &op, scratch ? scratch->data : nullptr);
}

}  // namespace videomae
