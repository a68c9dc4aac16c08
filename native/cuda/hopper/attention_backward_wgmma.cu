#include "cuda/hopper/attention_backward_wgmma.h"

#include <algorithm>
#include <climits>

#include "cuda/attention_backward.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/hopper/attention_backward_wgmma.cuh"

namespace videomae::cuda {
namespace {

/// Heads of (B, N, parts, H, K) with axes of columns, tokens, and where heads begin, in rows of K: clips are N parts H
/// of them apart, parts and heads of a clip lie side by side. The last two axes overlap, and boxes end at the last
/// token of their clip and the last column of their head.
template <class Tiling>
CUtensorMap map_of_heads(const bf16* heads, const AttentionShape& shape, int parts) {
  const uint64_t rows = static_cast<uint64_t>(parts) * shape.heads, tokens = shape.tokens, row_bytes = 2 * shape.width;
  const uint64_t size[3] = {static_cast<uint64_t>(shape.width), tokens, ((shape.batch - 1) * tokens + 1) * rows};
  const uint64_t stride_bytes[2] = {rows * row_bytes, row_bytes};
  const uint32_t box[3] = {Tiling::box_columns, Tiling::rows, 1};
  return bf16_tensor_map(heads, 3, size, stride_bytes, box, Tiling::swizzle, Fill::zero);
}

template <class Tiling>
void launch_side(const AttentionBackwardArguments& args, const Context& context) {
  const AttentionShape& shape = args.shape;
  WgmmaBackwardArguments wide{};
  wide.qkv = map_of_heads<Tiling>(args.qkv, shape, 3);
  wide.y = map_of_heads<Tiling>(args.y, shape, 1);
  wide.grad_y = map_of_heads<Tiling>(args.grad_y, shape, 1);
  wide.grad_qkv = map_of_heads<Tiling>(args.grad_qkv, shape, 3);
  wide.shape = shape, wide.scale = args.scale.constant, wide.lse = args.lse, wide.dots = args.dots;
  wide.blocks_of_head = (shape.tokens + Tiling::block_rows - 1) / Tiling::block_rows;
  wide.pieces = shape.batch * shape.heads * wide.blocks_of_head;
  const int blocks = std::min(wide.pieces, context.limits.multiprocessors);
  launch(context, attention_backward_wgmma_side<Tiling>,
         {dim3(static_cast<unsigned>(blocks)), dim3(Tiling::threads), Tiling::shared_bytes}, wide);
}

/// Calls body with the columns of the gradients in registers.
template <class F>
void with_width(int width, F&& body) {
  if (width <= 64) return body(std::integral_constant<int, 64>{});
  if (width <= 80) return body(std::integral_constant<int, 80>{});
  body(std::integral_constant<int, 88>{});
}

}  // namespace

bool takes_attention_backward_wgmma(const AttentionShape& shape, const DeviceLimits& limits) {
  const int64_t rows = int64_t{3} * shape.batch * shape.tokens * shape.heads;  // a coordinate of the copy engine
  if (limits.capability != 90 || shape.width > 88 || shape.width % 8 != 0 || rows > INT_MAX) return false;
  bool fits = false;
  with_width(shape.width, [&](auto width) {
    fits = std::max(WgmmaBackwardTiling<width.value, false>::shared_bytes,
                    WgmmaBackwardTiling<width.value, true>::shared_bytes) <= limits.shared_optin;
  });
  return fits;
}

void attention_backward_wgmma(const AttentionBackwardArguments& args, const Context& context) {
  with_width(args.shape.width, [&](auto width) {
    launch_side<WgmmaBackwardTiling<width.value, false>>(args, context);
    launch_side<WgmmaBackwardTiling<width.value, true>>(args, context);
  });
}

}  // namespace videomae::cuda
