// Clusters of the emulator: blocks that run at the same time, their barrier, and their sight of each other's memory.
#pragma once

#include <cstdint>

namespace videomae::cuda::emu {

uint32_t cluster_rank();
uint32_t cluster_size();
void cluster_arrive();
void cluster_wait();
uint32_t cluster_load(const uint32_t* shared, uint32_t rank);
void cluster_store(uint32_t* shared, uint32_t rank, uint32_t value);

}  // namespace videomae::cuda::emu
