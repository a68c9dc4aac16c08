// Switching between stacks: what makes a fiber. A switch saves the registers that a callee keeps, changes the stack
// pointer, and returns on the other side.
//
// On x86-64 it is thirteen instructions of our own; elsewhere ucontext, twelve times slower.
#pragma once

#include <cstddef>

namespace videomae::cuda::emu {

/// A stack that is not running: where it goes on. What memory it has is for the address sanitizer.
struct SavedStack {
  void* place = nullptr;
  const void* low = nullptr;
  size_t bytes = 0;
};

/// A stack that begins with entry() when it is switched to; entry() never returns.
/// @param low, bytes  its memory, used from the top down
SavedStack new_stack(void* low, size_t bytes, void (*entry)());

/// The first call of entry(). @param from  the stack that switched to this one
void begin_stack(SavedStack& from);

/// Leaves the running stack in `from` and goes on in `to`.
void switch_stack(SavedStack& from, const SavedStack& to);

}  // namespace videomae::cuda::emu
