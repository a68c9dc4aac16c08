// What is launched, for whoever needs block sizes and dynamic shared memory, which no compiler knows
// (scripts/kernels-page.mjs): VIDEOMAE_EMU_LAUNCHES names a file that gets them.
#pragma once

#include "cuda/emu/launch.h"

namespace videomae::cuda::emu {

/// Adds a line of JSON for every launch of this process that differs from those before it in kernel, threads of a block
/// or shared memory: {"kernel":"fill<float>","threads":256,"sharedBytes":0}. Nothing where no file is named. Not for
/// several threads at once.
/// @throws Error when the file cannot be written
void record_launch(const GridLaunch& launch);

}  // namespace videomae::cuda::emu
