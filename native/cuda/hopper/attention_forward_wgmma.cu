#include "cuda/hopper/attention_forward_wgmma.h"

#include <algorithm>
#include <climits>

#include "cuda/attention_forward.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/device/tensor_map.cuh"
#include "cuda/hopper/attention_forward_wgmma.cuh"

namespace videomae::cuda {
namespace {

/// Heads of (B, N, parts, H, K) by the columns of a head, the tokens of a clip, and where a head of a clip begins. The
/// last axis goes in steps of K, so it names what overlaps; the second keeps a head within its clip.
CUtensorMap head_map(const bf16* x, const AttentionShape& shape, int parts, int box, int rows, Swizzle swizzle) {
  const uint64_t heads = static_cast<uint64_t>(parts) * shape.heads, row = heads * shape.width * sizeof(bf16);
  const uint64_t size[] = {static_cast<uint64_t>(shape.width), static_cast<uint64_t>(shape.tokens),
                           (static_cast<uint64_t>(shape.batch) - 1) * shape.tokens * heads + heads};
  const uint64_t strides[] = {row, shape.width * sizeof(bf16)};
  const uint32_t boxes[] = {static_cast<uint32_t>(box), static_cast<uint32_t>(rows), 1};
  return bf16_tensor_map(x, 3, size, strides, boxes, swizzle, Fill::zero);
}

template <class Tiling>
void start(const AttentionForwardArguments& args, const Context& context) {
  const AttentionShape& shape = args.shape;
  const int pieces = shape.batch * shape.heads * ((shape.tokens + Tiling::queries - 1) / Tiling::queries);
  const auto map = [&](const bf16* x, int parts, int rows) {
    return head_map(x, shape, parts, Tiling::box, rows, Tiling::swizzle);
  };
  launch(context, attention_forward_wgmma_kernel<Tiling>,
         {dim3(static_cast<unsigned>(std::min(pieces, context.limits.multiprocessors))), dim3(Tiling::threads),
          Tiling::shared_bytes},
         map(args.qkv, 3, Tiling::rows), map(args.qkv, 3, Tiling::keys), map(args.y, 1, 16),
         WgmmaForwardArguments{shape, args.scale.constant * kLog2E, pieces, args.lse});
}

template <int columns>
void start_for_tokens(const AttentionForwardArguments& args, const Context& context) {
  switch (wgmma_keys(args.shape.tokens)) {
    case 128:
      return start<WgmmaForwardTiling<columns, 128>>(args, context);
    case 160:
      return start<WgmmaForwardTiling<columns, 160>>(args, context);
    default:
      return start<WgmmaForwardTiling<columns, 176>>(args, context);
  }
}

}  // namespace

bool takes_attention_forward_wgmma(const AttentionShape& shape, const DeviceLimits& limits) {
  const int64_t planes = int64_t{3} * shape.batch * shape.tokens * shape.heads;
  return limits.capability == 90 && limits.shared_optin >= 227 << 10 && shape.width % 8 == 0 && shape.width <= 88 &&
         planes <= INT_MAX;
}

void attention_forward_wgmma(const AttentionForwardArguments& args, const Context& context) {
  if (args.shape.width <= 64) return start_for_tokens<64>(args, context);
  if (args.shape.width <= 80) return start_for_tokens<80>(args, context);
  start_for_tokens<88>(args, context);
}

void attention_forward_wgmma3(const AttentionForwardArguments& args, const Context& context) {
  start<WgmmaForwardTiling<64, kWgmmaKeysOfThree, 3>>(args, context);
}

}  // namespace videomae::cuda
