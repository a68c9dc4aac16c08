// Which of the compiled kernel sets this process runs. The widest one the processor supports is taken at first use;
// the environment variable VIDEOMAE_ISA or set_instruction_set names another. Results are bit-identical for any thread
// count under one instruction set, not between instruction sets (their sums are grouped differently).
// Each set includes those before it: a kernel that has no version of its own for one uses the next narrower.
#pragma once

namespace videomae {

enum class InstructionSet { kPortable, kAvx2, kAvx512, kAvx512Bf16, kAmx };

/// "amx", "avx512bf16", "avx512", "avx2" or "portable": the one in use. Throws Error when VIDEOMAE_ISA names another.
const char* instruction_set();

/// Takes the named one from the next call on (tests, benches). Throws Error, naming the supported ones,
/// when the name is unknown or this processor lacks it.
void set_instruction_set(const char* name);

/// The one in use; compare with < and >=.
InstructionSet current_instruction_set();

}  // namespace videomae
