// Forward attention in bf16 for Hopper, a variant of attention_forward_mma: what it takes, and its launch.
#pragma once

#include "cuda/attention_forward.cuh"
#include "ops/context.h"

namespace videomae::cuda {

/// Whether a device and a head's width suit it. Operands begin at multiples of 16 bytes; cosine attention is not for
/// it.
bool takes_attention_forward_wgmma(const AttentionShape& shape, const DeviceLimits& limits);

void attention_forward_wgmma(const AttentionForwardArguments& args, const Context& context);

}  // namespace videomae::cuda
