// Fused attention backward in bf16 for many tokens on Hopper: what stands in for the two kernels of
// attention_backward.cuh.
#pragma once

#include "ops/context.h"

namespace videomae::cuda {

struct AttentionShape;
struct AttentionBackwardArguments;

/// Whether the kernels take heads of this shape on this device: operands at multiples of 16 bytes, no cosine attention.
bool takes_attention_backward_wgmma(const AttentionShape& shape, const DeviceLimits& limits);

void attention_backward_wgmma(const AttentionBackwardArguments& args, const Context& context);

}  // namespace videomae::cuda
