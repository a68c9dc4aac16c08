// Run-time choice of the kernel set: one atomic, filled at first use from the processor and VIDEOMAE_ISA.
#include "core/instruction_set.h"

#include <atomic>
#include <cstdlib>
#include <string>

#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "core/error.h"

namespace videomae {
namespace {

constexpr const char* kNames[] = {"portable", "avx2", "avx512", "avx512bf16", "amx"};
constexpr int kUnset = -1;

std::atomic<int> chosen{kUnset};

#if defined(__x86_64__)
/// Linux lends the tile registers to a process that asks (arch_prctl ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA); threads
/// started later have them too. False on a kernel that does not know of them.
bool tiles_granted() { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

int find_widest() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2")) return 0;
  bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512vl");
  if (!wide) return 1;
  if (!__builtin_cpu_supports("avx512bf16")) return 2;
  bool tiles = __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16");
  return tiles && tiles_granted() ? 4 : 3;
}
#endif

/// The highest index into kNames this processor can run; each set includes those before it.
int widest_supported() {
#if defined(__x86_64__)
  static const int widest = find_widest();
  return widest;
#else
  return 0;
#endif
}

int parse(const char* origin, const char* name) {
  int widest = widest_supported();
  std::string supported;
  for (int i = 0; i <= widest; ++i) {
    if (std::string(name) == kNames[i]) return i;
    supported += std::string(i ? ", " : "") + kNames[i];
  }
  throw Error(origin, "one of " + supported + ", which this processor supports", "\"" + std::string(name) + "\"");
}

int current() {
  int value = chosen.load(std::memory_order_relaxed);
  if (value != kUnset) return value;
  const char* asked = std::getenv("VIDEOMAE_ISA");
  value = asked && *asked ? parse("VIDEOMAE_ISA", asked) : widest_supported();
  chosen.store(value, std::memory_order_relaxed);
  return value;
}

}  // namespace

const char* instruction_set() { return kNames[current()]; }

void set_instruction_set(const char* name) { chosen.store(parse("instruction set", name)); }

InstructionSet current_instruction_set() { return static_cast<InstructionSet>(current()); }

}  // namespace videomae
