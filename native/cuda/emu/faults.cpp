#include "cuda/emu/faults.h"

#include "cuda/emu/device_memory.h"
#include "cuda/emu/scheduler.h"
#include "cuda/emu/stacks.h"

namespace videomae::cuda::emu {
namespace {

struct sigaction before[NSIG];

/// Runs on its own stack, and leaves it for the scheduler's without returning: hence SA_NODEFER.
void on_fault(int number, siginfo_t* info, void*) {
  if (!in_kernel) {  // not of a kernel: happens again, as if nobody had listened
    sigaction(number, &before[number], nullptr);
    return;
  }
  const void* address = info->si_addr;
  if (in_stack_guard(address)) fail("at most 256 KiB of local variables a thread", "more");
  const SharedMemory& own = scheduler.current->block->shared;
  if (own.near(address)) {
    fail("an access within the block's shared memory", "offset %td of %zu bytes",
         static_cast<const unsigned char*>(address) - own.data(), own.bytes());
  }
  char place[256];
  if (describe_address(address, place)) fail("accesses within the device's memory", "%s", place);
  fail("an access to memory of the device", "address %p", address);
}

constexpr size_t kSignalStack = 64 << 10;

}  // namespace

Faults::Faults() {
  static thread_local std::unique_ptr<unsigned char[]> memory(new unsigned char[kSignalStack]);
  stack_t stack{};
  stack.ss_sp = memory.get(), stack.ss_size = kSignalStack;
  sigaltstack(&stack, &stack_before_);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &segment_before_);
  sigaction(SIGBUS, &action, &bus_before_);
  before[SIGSEGV] = segment_before_, before[SIGBUS] = bus_before_;
}

Faults::~Faults() {
  sigaction(SIGSEGV, &segment_before_, nullptr);
  sigaction(SIGBUS, &bus_before_, nullptr);
  sigaltstack(&stack_before_, nullptr);
}

}  // namespace videomae::cuda::emu
