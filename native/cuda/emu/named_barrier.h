// Named barriers of the emulator (device/named_barrier.cuh).
#pragma once

namespace videomae::cuda::emu {

void named_barrier_sync(int barrier, int threads);
void named_barrier_arrive(int barrier, int threads);

}  // namespace videomae::cuda::emu
