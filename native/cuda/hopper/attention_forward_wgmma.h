// Forward attention in bf16 for Hopper, variants of attention_forward_mma: what they take, and their launch.
#pragma once

#include "ops/context.h"

namespace videomae::cuda {

struct AttentionShape;
struct AttentionForwardArguments;

/// Whether a device and a head's width suit them. Operands begin at multiples of 16 bytes; cosine attention is not for
/// them.
bool takes_attention_forward_wgmma(const AttentionShape& shape, const DeviceLimits& limits);

void attention_forward_wgmma(const AttentionForwardArguments& args, const Context& context);

/// With three warpgroups that multiply instead of two, for widths up to 64.
void attention_forward_wgmma3(const AttentionForwardArguments& args, const Context& context);

}  // namespace videomae::cuda
