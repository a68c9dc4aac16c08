// wgmma of the emulator: a warp's 16 rows of the warpgroup's product, computed when the warp waits for the group.
//
// Issuing poisons the accumulators. They stay so until the last group that adds to them has been waited for; then the
// steps are done in order, each as mma.sync does (emu/matrix.h). Operands in shared memory may not be written
// meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cuda/device/wgmma_layout.h"

namespace videomae::cuda::emu {

/// One wgmma, as one thread issued it.
struct WgmmaStep {
  float* d;
  int n;
  bool a_in_registers;
  uint32_t a_registers[4];
  uint64_t a, b;  // descriptors
  Major a_major, b_major;
  bool accumulate;
};

/// Accumulators that steps under way add to: their values in truth.
struct WgmmaAccumulators {
  float* d;
  int count;
  std::vector<float> values;
};

/// A thread's steps that have not been waited for.
struct WgmmaState {
  std::vector<WgmmaStep> steps;
  std::vector<size_t> ends;  // of the committed groups, as counts of steps
  std::vector<WgmmaAccumulators> accumulators;
  bool fenced = false;
  uint64_t issued = 0;  // in all, with what they are
};

void wgmma_fence();
void wgmma_issue(float* d, int n, const uint32_t* a_registers, uint64_t a, Major a_major, uint64_t b, Major b_major,
                 bool accumulate);
void wgmma_commit();
void wgmma_wait(uint32_t pending);

struct Block;
struct Fiber;
/// The running thread ends: all it has issued must have been waited for.
void finish_wgmma();
/// A block has ended: what the four warps of a warpgroup issued must be the same.
bool same_wgmma_of_warpgroups(const Block& block);

}  // namespace videomae::cuda::emu
