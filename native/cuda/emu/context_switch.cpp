#include "cuda/emu/context_switch.h"

#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace videomae::cuda::emu {
namespace {

// The address sanitizer has to be told: of a switch before and after it, and that a stack which an error has abandoned
// is clean again.
#if defined(__SANITIZE_ADDRESS__)
void about_to_switch(const SavedStack& to) { __sanitizer_start_switch_fiber(nullptr, to.low, to.bytes); }
void have_switched(SavedStack* from) {
  __sanitizer_finish_switch_fiber(nullptr, from ? &from->low : nullptr, from ? &from->bytes : nullptr);
}
void clean(const void* low, size_t bytes) { __asan_unpoison_memory_region(low, bytes); }
#else
void about_to_switch(const SavedStack&) {}
void have_switched(SavedStack*) {}
void clean(const void*, size_t) {}
#endif

}  // namespace

void begin_stack(SavedStack& from) { have_switched(&from); }

#if defined(__x86_64__)

// rdi: where to save the stack pointer; rsi: the one to load. The rest of the state is the caller's to keep.
extern "C" void videomae_switch_stack(void** save, void* load);
asm(R"(
.text
.hidden videomae_switch_stack
.globl videomae_switch_stack
.type videomae_switch_stack, @function
videomae_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size videomae_switch_stack, .-videomae_switch_stack
)");

SavedStack new_stack(void* low, size_t bytes, void (*entry)()) {
  clean(low, bytes);
  void** top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(low) + bytes) & ~uintptr_t{15});
  *--top = nullptr;  // entry() sees a stack as after a call, and nowhere to return to
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  return {top, low, bytes};
}

void switch_stack(SavedStack& from, const SavedStack& to) {
  about_to_switch(to);
  videomae_switch_stack(&from.place, to.place);
  have_switched(nullptr);
}

#else

// The ucontext lies at the low end of the stack it describes; that of a thread's own stack in thread-local memory.
SavedStack new_stack(void* low, size_t bytes, void (*entry)()) {
  clean(low, bytes);
  ucontext_t* context = static_cast<ucontext_t*>(low);
  const size_t used = (sizeof(ucontext_t) + 63) / 64 * 64;
  getcontext(context);
  context->uc_stack.ss_sp = static_cast<char*>(low) + used;
  context->uc_stack.ss_size = bytes - used;
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
  return {context, low, bytes};
}

void switch_stack(SavedStack& from, const SavedStack& to) {
  static thread_local ucontext_t own;
  if (!from.place) from.place = &own;
  about_to_switch(to);
  swapcontext(static_cast<ucontext_t*>(from.place), static_cast<const ucontext_t*>(to.place));
  have_switched(nullptr);
}

#endif

}  // namespace videomae::cuda::emu
