// Every load and store of a kernel passes here: kernels are compiled with -fsanitize=thread, which calls a function
// before each access, and these are the functions. (No thread sanitizer is linked.) Likewise -fsanitize=alignment and
// bounds, whose complaints about vector accesses and arrays in registers end the kernel too.
#include <cstdint>

#include "cuda/emu/device_memory.h"
#include "cuda/emu/scheduler.h"
#include "cuda/emu/stacks.h"

namespace videomae::cuda::emu {
namespace {

__attribute__((always_inline)) inline void access(void* address, size_t bytes, bool write) {
  if (!in_kernel) return;  // the host's code in the same file
  const Fiber* fiber = scheduler.current;
  Block& block = *fiber->block;
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  const size_t offset = at - reinterpret_cast<uintptr_t>(block.shared.data());
  if (offset < block.shared.bytes()) {
    if (bytes > block.shared.bytes() - offset) {
      fail("an access within the block's shared memory", "%zu bytes at offset %zu of %zu", bytes, offset,
           block.shared.bytes());
    }
    return write ? block.shadow.write(offset, bytes) : block.shadow.read(offset, bytes);
  }
  if (at - reinterpret_cast<uintptr_t>(fiber->stack) < kStackBytes) return;
  if (at - scheduler.words_begin < scheduler.words_bytes) return;  // threadIdx and its like
  if (block.shared.near(address)) {
    fail("an access within the block's shared memory", "offset %td of %zu bytes", static_cast<ptrdiff_t>(offset),
         block.shared.bytes());
  }
  check_device_access(address, bytes, write);
}

struct SourceLocation {
  const char* file;
  uint32_t line, column;
};

struct TypeDescriptor {
  uint16_t kind, info;
  char name[1];
};

struct TypeMismatch {
  SourceLocation location;
  const TypeDescriptor* type;
  unsigned char log_alignment, kind;
};

struct OutOfBounds {
  SourceLocation location;
  const TypeDescriptor *array, *index;
};

void misaligned(const TypeMismatch* data, uintptr_t address) {
  if (!in_kernel) return;
  fail("an address aligned to its type", "%#zx for %s at %s:%u", static_cast<size_t>(address), data->type->name,
       data->location.file, data->location.line);
}

void out_of_bounds(const OutOfBounds* data, uintptr_t index) {
  if (!in_kernel) return;
  fail("an index within the array", "%td for %s at %s:%u", static_cast<ptrdiff_t>(index), data->array->name,
       data->location.file, data->location.line);
}

}  // namespace
}  // namespace videomae::cuda::emu

#define HOOK(name) extern "C" void name
using namespace videomae::cuda::emu;

HOOK(__tsan_init)() {}
HOOK(__tsan_read1)(void* p) { access(p, 1, false); }
HOOK(__tsan_read2)(void* p) { access(p, 2, false); }
HOOK(__tsan_read4)(void* p) { access(p, 4, false); }
HOOK(__tsan_read8)(void* p) { access(p, 8, false); }
HOOK(__tsan_read16)(void* p) { access(p, 16, false); }
HOOK(__tsan_write1)(void* p) { access(p, 1, true); }
HOOK(__tsan_write2)(void* p) { access(p, 2, true); }
HOOK(__tsan_write4)(void* p) { access(p, 4, true); }
HOOK(__tsan_write8)(void* p) { access(p, 8, true); }
HOOK(__tsan_write16)(void* p) { access(p, 16, true); }
HOOK(__tsan_unaligned_read2)(void* p) { access(p, 2, false); }
HOOK(__tsan_unaligned_read4)(void* p) { access(p, 4, false); }
HOOK(__tsan_unaligned_read8)(void* p) { access(p, 8, false); }
HOOK(__tsan_unaligned_read16)(void* p) { access(p, 16, false); }
HOOK(__tsan_unaligned_write2)(void* p) { access(p, 2, true); }
HOOK(__tsan_unaligned_write4)(void* p) { access(p, 4, true); }
HOOK(__tsan_unaligned_write8)(void* p) { access(p, 8, true); }
HOOK(__tsan_unaligned_write16)(void* p) { access(p, 16, true); }
HOOK(__tsan_read_range)(void* p, size_t bytes) { access(p, bytes, false); }
HOOK(__tsan_write_range)(void* p, size_t bytes) { access(p, bytes, true); }
HOOK(__tsan_vptr_update)(void*, void*) {}
HOOK(__tsan_vptr_read)(void*) {}
HOOK(__tsan_func_entry)(void*) {}
HOOK(__tsan_func_exit)() {}

HOOK(__ubsan_handle_type_mismatch_v1)(void* data, uintptr_t address) {
  misaligned(static_cast<TypeMismatch*>(data), address);
}
HOOK(__ubsan_handle_out_of_bounds)(void* data, uintptr_t index) {
  out_of_bounds(static_cast<OutOfBounds*>(data), index);
}
