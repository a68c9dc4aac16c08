// Attention on the GPU: which kernels an op takes.
//
// bf16 runs on the tensor core. Head widths up to 64, 80 and 88 have kernels of their own, as have all others up to
// 128; a general kernel takes odd widths, operands that begin anywhere, and cosine attention. Forward is one kernel.
// Backward is one kernel a head where a head fits into the shared memory of a block, and otherwise two, of queries and
// of keys. Variants for few tokens work through whole heads, loading the next ahead; those for many are Hopper's, by
// wgmma. f32 runs on the ordinary multiply-add units.
#include <climits>
#include <string_view>
#include <vector>

#include "cuda/attention_backward_head.cuh"
#include "cuda/attention_backward_pipelined.cuh"
#include "cuda/attention_cosine.cuh"
#include "cuda/attention_forward.cuh"
#include "cuda/attention_forward_head.cuh"
#include "cuda/attention_simt_backward.cuh"
#include "cuda/attention_simt_forward.cuh"
#include "cuda/device/launch.cuh"
#include "cuda/elements.cuh"
#include "cuda/hopper/attention_backward_wgmma.h"
#include "cuda/hopper/attention_forward_wgmma.h"
#include "cuda/kernels.h"
#include "cuda/variants.h"
#include "ops/attention.h"

namespace videomae::cuda {
namespace {

/// Calls body with the tile that a head takes, and whether the kernels are the general ones.
template <class F>
void with_tile(int width, bool general, F&& body) {
  if (general) return width <= 64 ? body(RowTile<8>{}, std::true_type{}) : body(RowTile<16>{}, std::true_type{});
  if (width <= 64) return body(RowTile<8>{}, std::false_type{});
  if (width <= 80) return body(RowTile<10>{}, std::false_type{});
  if (width <= 88) return body(RowTile<11>{}, std::false_type{});
  body(RowTile<16>{}, std::false_type{});
}

/// Calls body with the columns of a tile in f32.
template <class F>
void with_padded_width(int width, F&& body) {
  if (width <= 64) return body(std::integral_constant<int, 64>{});
  body(std::integral_constant<int, 128>{});
}

/// Whether rows of heads begin at multiples of 16 bytes in all of these tensors.
template <class T>
bool vectors(int width, std::initializer_list<const T*> operands) {
  bool all = width % (16 / sizeof(T)) == 0;
  for (const T* x : operands) all = all && reinterpret_cast<uintptr_t>(x) % 16 == 0;
  return all;
}

template <class Op>
AttentionShape shape_of(const Op& op) {
  const int64_t heads_of_all = op.batch() * op.heads, row = 3 * op.heads * op.head_width();
  // Kernels count rows and blocks in 32 bits; a block has 16 rows or more.
  check(heads_of_all * (op.tokens() / 16 + 1) <= INT_MAX && row <= INT_MAX, op.name,
        "fewer clips, tokens or heads for one call", op.qkv.tensor.text());
  return {static_cast<int>(op.batch()), static_cast<int>(op.tokens()), static_cast<int>(op.heads),
          static_cast<int>(op.head_width())};
}

/// Where what attention needs besides its operands lies in the workspace.
struct Scratch {
  int64_t rows;  // B H N
  bool cosine;
  int64_t scale_parts;  // of all heads

  size_t forward_bytes() const { return cosine ? 2 * rows * sizeof(float) : 0; }
  size_t backward_bytes() const { return forward_bytes() + (rows + (cosine ? scale_parts : 0)) * sizeof(float); }
};

/// Blocks of queries of a head in the backward pass of cosine attention.
int64_t query_blocks(int64_t tokens, DType dtype) {
  if (dtype == DType::f32) return (tokens + kSimtRows - 1) / kSimtRows;
  using Tiling = BackwardTiling<RowTile<8>, false, true>;  // that of wider heads is cut alike
  static_assert(BackwardTiling<RowTile<16>, false, true>::blocks == Tiling::blocks);
  return cut_rows(static_cast<int>(tokens), 16 * Tiling::blocks, Tiling::warps).blocks;
}

template <class Op>
Scratch scratch_of(const Op& op) {
  return {op.batch() * op.heads * op.tokens(), op.logit_scale.given(),
          op.batch() * op.heads * query_blocks(op.tokens(), op.qkv.dtype())};
}

/// The op's scale; for cosine attention the norms, computed into `inverse_norms`.
template <class T, class Op>
AttentionScale scale_of(const Op& op, const AttentionShape& shape, float* inverse_norms, const Context& context) {
  const float constant = static_cast<float>(1 / std::sqrt(static_cast<double>(shape.width)));
  if (!op.logit_scale.given()) return {constant, nullptr, nullptr};
  const int64_t rows = 2 * scratch_of(op).rows, warps = kNormThreads / 32;
  launch(context, attention_inverse_norms<T>,
         {dim3(static_cast<unsigned>((rows + warps - 1) / warps)), dim3(kNormThreads)}, shape,
         op.qkv.template data<T>(), inverse_norms);
  return {0, op.logit_scale.template data<float>(), inverse_norms};
}

SharedRoom room_of(const Context& context) { return {context.limits.shared_optin, context.limits.shared_per_sm}; }

dim3 grid_of(const AttentionShape& shape, int blocks_of_head) {
  return dim3(static_cast<unsigned>(shape.batch * shape.heads * blocks_of_head));
}

/// The kernel that is chosen for a pass, named by the heads of all clips, tokens and width: "attention_forward 384 160
/// 64".
/// @param kernels  that can do it, the default first
std::string_view chosen_kernel(const char* family, const AttentionShape& shape,
                               const std::vector<const char*>& kernels) {
  const Work work{family, "", {shape.batch * shape.heads, shape.tokens, shape.width}};
  return kernels[static_cast<size_t>(chosen_variant(work, kernels))];
}

/// Starts a kernel that does whole heads: as many blocks as run at once, each with its share of them.
template <class Tiling, class Arguments>
void start_heads(void (*kernel)(Arguments, int), const Arguments& args, const HeadRing& ring, const Context& context) {
  const AttentionShape& shape = args.shape;
  const int blocks = std::min(shape.batch * shape.heads, context.limits.multiprocessors * ring.resident);
  launch(context, kernel,
         {dim3(static_cast<unsigned>(blocks)), dim3(32u * Tiling::warps_for(shape.tokens)), ring.shared_bytes}, args,
         ring.slots);
}

// ---- forward ----

void forward(Attention& op, const AttentionShape& shape, const AttentionScale& scale, bf16, const Context& context) {
  const bf16* qkv = op.qkv.data<bf16>();
  bf16* y = op.y.data<bf16>();
  const AttentionForwardArguments args{shape, scale, qkv, y, op.lse.data<float>()};
  with_tile(shape.width, scale.logit_scale || !vectors<bf16>(shape.width, {qkv, y}), [&](auto tile, auto general) {
    using Tile = decltype(tile);
    if constexpr (!general.value && Tile::chunks <= 11) {
      using Heads = ForwardHeadTiling<Tile>;
      const HeadRing ring = Heads::ring(shape.tokens, room_of(context));
      std::vector<const char*> kernels{"mma"};
      if (ring.slots > 0) kernels.push_back("head");
      if (takes_attention_forward_wgmma(shape, context.limits)) {
        kernels.push_back("wgmma");
        if (shape.width <= 64) kernels.push_back("wgmma3");
      }
      const std::string_view kernel = chosen_kernel("attention_forward", shape, kernels);
      if (kernel == "head") return start_heads<Heads>(attention_forward_head_mma<Tile>, args, ring, context);
      if (kernel == "wgmma") return attention_forward_wgmma(args, context);
      if (kernel == "wgmma3") return attention_forward_wgmma3(args, context);
    }
    using Tiling = ForwardTiling<Tile, general.value>;
    const BlockCut cut = cut_rows(shape.tokens, 16 * Tiling::blocks, Tiling::warps);
    const int ring = ring_rows<Tiling>(cut.warps, room_of(context));
    launch(context, attention_forward_mma<Tile, general.value>,
           {grid_of(shape, cut.blocks), dim3(32u * cut.warps), Tiling::shared_bytes(cut.warps, ring)}, args, ring);
  });
}

void forward(Attention& op, const AttentionShape& shape, const AttentionScale& scale, float, const Context& context) {
  const float* qkv = op.qkv.data<float>();
  float* y = op.y.data<float>();
  with_padded_width(shape.width, [&](auto padded) {
    launch(context, attention_forward_simt<padded.value>,
           {grid_of(shape, (shape.tokens + kSimtRows - 1) / kSimtRows), dim3(kSimtThreads),
            attention_forward_simt_bytes<padded.value>()},
           SimtForwardArguments{shape, scale, vectors<float>(shape.width, {qkv, y}), qkv, y, op.lse.data<float>()});
  });
}

// ---- backward ----

void backward(const AttentionBackwardArguments& args, const Context& context) {
  const AttentionShape& shape = args.shape;
  const bool general =
      args.scale.logit_scale || !vectors<bf16>(shape.width, {args.qkv, args.y, args.grad_y, args.grad_qkv});
  with_tile(shape.width, general, [&](auto tile, auto any) {
    using Tile = decltype(tile);
    if constexpr (!any.value && Tile::chunks <= 11) {
      using Heads = BackwardHeadTiling<Tile>;
      HeadRing ring{};
      if constexpr (Tile::chunks <= 10) ring = Heads::ring(shape.tokens, room_of(context));
      std::vector<const char*> kernels{"mma"};
      if (ring.slots > 0) kernels.push_back("head-pipelined");
      if (takes_attention_backward_wgmma(shape, context.limits)) kernels.push_back("wgmma");
      const std::string_view kernel = chosen_kernel("attention_backward", shape, kernels);
      if constexpr (Tile::chunks <= 10)
        if (kernel == "head-pipelined")
          return start_heads<Heads>(attention_backward_pipelined_mma<Tile>, args, ring, context);
      if (kernel == "wgmma") return attention_backward_wgmma(args, context);
    }
    if constexpr (!any.value) {
      if (const int warps = HeadTiling<Tile>::warps_for(shape.tokens, context.limits.shared_optin)) {
        launch(context, attention_backward_head_mma<Tile>,
               {grid_of(shape, 1), dim3(32u * warps), HeadTiling<Tile>::shared_bytes(warps)}, args);
        return;
      }
    }
    const auto launch_side = [&](auto keys) {
      using Tiling = BackwardTiling<Tile, keys.value, any.value>;
      const BlockCut cut = cut_rows(shape.tokens, 16 * Tiling::blocks, Tiling::warps);
      const int ring = ring_rows<Tiling>(cut.warps, room_of(context));
      launch(context, attention_backward_mma<Tile, keys.value, any.value>,
             {grid_of(shape, cut.blocks), dim3(32u * cut.warps), Tiling::shared_bytes(cut.warps, ring)}, args, ring);
    };
    launch_side(std::false_type{});
    launch_side(std::true_type{});
  });
}

void backward(const SimtBackwardArguments& args, const Context& context) {
  const AttentionShape& shape = args.shape;
  with_padded_width(shape.width, [&](auto padded) {
    const Launch launched{grid_of(shape, (shape.tokens + kSimtRows - 1) / kSimtRows), dim3(kSimtThreads),
                          attention_backward_simt_bytes<padded.value>()};
    launch(context, attention_backward_simt<padded.value, false>, launched, args);
    launch(context, attention_backward_simt<padded.value, true>, launched, args);
  });
}

}  // namespace

void run(Attention& op, const Context& context) {
  const AttentionShape shape = shape_of(op);
  if (shape.batch == 0) return;
  with_real(op.name, op.qkv.dtype(), [&](auto t) {
    const AttentionScale scale = scale_of<decltype(t)>(op, shape, static_cast<float*>(context.workspace), context);
    forward(op, shape, scale, t, context);
  });
}

void run(AttentionBackward& op, const Context& context) {
  const AttentionShape shape = shape_of(op);
  const Scratch scratch = scratch_of(op);
  float* inverse_norms = static_cast<float*>(context.workspace);
  float* dots = inverse_norms + (scratch.cosine ? 2 * scratch.rows : 0);
  float* parts = op.grad_logit_scale.wanted ? dots + scratch.rows : nullptr;
  if (shape.batch > 0) {
    with_real(op.name, op.qkv.dtype(), [&](auto t) {
      using T = decltype(t);
      const AttentionScale scale = scale_of<T>(op, shape, inverse_norms, context);
      const T *qkv = op.qkv.data<T>(), *y = op.y.data<T>(), *grad_y = op.grad_y.data<T>();
      T* grad_qkv = op.grad_qkv.data<T>();
      const float* lse = op.lse.data<float>();
      if constexpr (std::is_same_v<T, bf16>) {
        backward(AttentionBackwardArguments{shape, scale, qkv, y, grad_y, lse, dots, grad_qkv, parts}, context);
      } else {
        const bool vector = vectors<float>(shape.width, {qkv, y, grad_y, grad_qkv});
        backward(SimtBackwardArguments{shape, scale, vector, qkv, y, grad_y, lse, dots, grad_qkv, parts}, context);
      }
    });
  }
  if (op.grad_logit_scale.wanted)
    launch(context, attention_scale_gradient, {dim3(static_cast<unsigned>(shape.heads)), dim3(32)}, shape,
           static_cast<int>(query_blocks(shape.tokens, op.qkv.dtype())), parts, op.grad_logit_scale.data<float>());
}

size_t workspace(const Attention& op) { return scratch_of(op).forward_bytes(); }
size_t workspace(const AttentionBackward& op) { return scratch_of(op).backward_bytes(); }

}  // namespace videomae::cuda
