// Stacks of emulated threads, each above a page that may not be touched. Made when first needed, and kept.
#pragma once

#include <cstddef>

namespace videomae::cuda::emu {

constexpr size_t kStackBytes = 256 << 10;  // reserved; only what is touched takes memory

/// The low end of stack `number`.
void* stack_low(size_t number);

/// Whether an address lies in a page below a stack.
bool in_stack_guard(const void* address);

}  // namespace videomae::cuda::emu
