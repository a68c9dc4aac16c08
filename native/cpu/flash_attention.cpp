// The drive of fused attention: workspace, groups of heads, pieces of work. Elements are touched in
// flash_attention_kernel.h. Heads go in groups whose packed operands fit a bounded workspace; the grouping depends on
// sizes only.
#include "cpu/flash_attention.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "core/instruction_set.h"
#include "core/thread_pool.h"
#include "cpu/flash_attention_kernel.h"

namespace videomae {
namespace {

constexpr int64_t kGroupBytes = 48 << 20;  // of packed operands at a time, unless one head needs more
constexpr int64_t kCacheLine = 64;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
const AttentionKernels<T>& kernels_of(const AttentionKernelSet& set) {
  if constexpr (sizeof(T) == sizeof(float))
    return set.f32;
  else
    return set.f64;
}

const AttentionKernelSet& current_set() {
#if defined(__x86_64__)
  const InstructionSet set = current_instruction_set();
  if (set >= InstructionSet::kAvx512) return kAttentionAvx512;
  if (set >= InstructionSet::kAvx2) return kAttentionAvx2;
#endif
  return kAttentionPortable;
}

/// Lays out one head's space from `base` (null: only counts). Returns its size in elements, whole cache lines.
template <class T>
int64_t lay_out(const AttentionKernels<T>& kernels, int64_t tokens, int64_t d, bool backward, T* base,
                HeadSpace<T>* space) {
  int64_t size = 0;
  auto take = [&](int64_t elements) {
    T* at = base ? base + size : nullptr;
    int64_t line = kCacheLine / static_cast<int64_t>(sizeof(T));
    size += ceil_div(elements, line) * line;
    return at;
  };
  int64_t rows = tokens * d, panels = ceil_div(tokens, kernels.rows) * kernels.step * d;
  *space = {};
  space->q_rows = take(rows);
  space->k_rows = take(rows);
  space->k_panels = take(panels);
  space->v_rows = take(rows);
  if (!backward) return size;
  space->q_panels = take(panels);
  space->v_panels = take(panels);
  space->grad_out_rows = take(rows);
  space->grad_out_panels = take(panels);
  space->k_norm = take(tokens);
  space->q_norm = take(tokens);
  space->output_dot = take(tokens);
  return size;
}

/// Sizes of one call under one instruction set.
template <class T>
struct Layout {
  int64_t heads, blocks;     // (clip, head) pairs; blocks of tokens a head
  int64_t head_size, group;  // elements of a head's space; heads packed at a time
  int64_t scale_parts;       // doubles in front: the pieces of grad_logit_scale, (heads, blocks)

  Layout(const AttentionKernels<T>& kernels, int64_t batch, int64_t tokens, int64_t heads_per_clip, int64_t d,
         bool backward) {
    HeadSpace<T> unused;
    heads = batch * heads_per_clip;
    blocks = ceil_div(tokens, kernels.block_tokens);
    head_size = lay_out<T>(kernels, tokens, d, backward, nullptr, &unused);
    int64_t fit = kGroupBytes / (std::max<int64_t>(1, head_size) * static_cast<int64_t>(sizeof(T)));
    group = std::max<int64_t>(1, std::min(heads, fit));
    scale_parts = backward ? ceil_div(heads * blocks, 8) * 8 : 0;
  }

  size_t bytes() const {
    return static_cast<size_t>(scale_parts) * sizeof(double) + static_cast<size_t>(group * head_size) * sizeof(T);
  }
};

template <class T>
size_t workspace(int64_t batch, int64_t tokens, int64_t heads, int64_t d, bool backward) {
  auto bytes = [&](const AttentionKernelSet& set) {
    return Layout<T>(kernels_of<T>(set), batch, tokens, heads, d, backward).bytes();
  };
  size_t most = bytes(kAttentionPortable);
#if defined(__x86_64__)
  most = std::max({most, bytes(kAttentionAvx2), bytes(kAttentionAvx512)});
#endif
  return most;
}

template <class Args>
void check(const Args& args) {
  auto require = [](bool good, const char* what, int64_t got) {
    if (!good) throw std::invalid_argument(std::string("attention: expected ") + what + "; got " + std::to_string(got));
  };
  require(args.batch >= 0, "batch >= 0", args.batch);
  require(args.tokens >= 1, "tokens >= 1", args.tokens);
  require(args.heads >= 1, "heads >= 1", args.heads);
  require(args.head_dim >= 1 && args.head_dim <= kAttentionMaxHeadDim, "head_dim from 1 to 128", args.head_dim);
  if (args.cosine && !args.logit_scale)
    throw std::invalid_argument("attention: expected logit_scale with cosine; got none");
}

}  // namespace

template <class T>
size_t flash_attention_workspace(int64_t batch, int64_t tokens, int64_t heads, int64_t head_dim) {
  return workspace<T>(batch, tokens, heads, head_dim, false);
}

template <class T>
size_t flash_attention_backward_workspace(int64_t batch, int64_t tokens, int64_t heads, int64_t head_dim) {
  return workspace<T>(batch, tokens, heads, head_dim, true);
}

template <class T>
void flash_attention(const FlashAttention<T>& args, void* memory) {
  check(args);
  const AttentionKernels<T>& kernels = kernels_of<T>(current_set());
  const Layout<T> layout(kernels, args.batch, args.tokens, args.heads, args.head_dim, false);
  auto space_of = [&](int64_t slot) {
    HeadSpace<T> space;
    T* base = static_cast<T*>(memory) + slot * layout.head_size;
    lay_out(kernels, args.tokens, args.head_dim, false, base, &space);
    return space;
  };
  for (int64_t start = 0; start < layout.heads; start += layout.group) {
    int64_t count = std::min(layout.group, layout.heads - start);
    parallel_for(count, [&](int64_t i) { kernels.prepare_forward(args, start + i, space_of(i)); });
    parallel_for(count * layout.blocks, [&](int64_t i) {
      int64_t slot = i / layout.blocks;
      kernels.forward(args, start + slot, i % layout.blocks, space_of(slot));
    });
  }
}

template <class T>
void flash_attention_backward(const FlashAttentionBackward<T>& args, void* memory) {
  check(args);
  const AttentionKernels<T>& kernels = kernels_of<T>(current_set());
  const Layout<T> layout(kernels, args.batch, args.tokens, args.heads, args.head_dim, true);
  double* scale_parts = static_cast<double*>(memory);
  T* spaces = reinterpret_cast<T*>(scale_parts + layout.scale_parts);
  auto space_of = [&](int64_t slot) {
    HeadSpace<T> space;
    lay_out(kernels, args.tokens, args.head_dim, true, spaces + slot * layout.head_size, &space);
    return space;
  };
  for (int64_t start = 0; start < layout.heads; start += layout.group) {
    int64_t count = std::min(layout.group, layout.heads - start), pieces = count * layout.blocks;
    parallel_for(count, [&](int64_t i) { kernels.prepare_backward(args, start + i, space_of(i)); });
    parallel_for(2 * pieces, [&](int64_t i) {
      int64_t slot = i % pieces / layout.blocks, block = i % layout.blocks, head = start + slot;
      if (i < pieces)
        kernels.backward_keys(args, head, block, space_of(slot));
      else
        scale_parts[head * layout.blocks + block] = kernels.backward_queries(args, head, block, space_of(slot));
    });
  }
  if (!args.grad_logit_scale) return;
  for (int64_t h = 0; h < args.heads; ++h) {
    double sum = 0;
    for (int64_t clip = 0; clip < args.batch; ++clip)
      for (int64_t block = 0; block < layout.blocks; ++block)
        sum += scale_parts[(clip * args.heads + h) * layout.blocks + block];
    args.grad_logit_scale[h] = static_cast<T>(sum);
  }
}

#define VIDEOMAE_INSTANTIATE(T)                                                              \
  template size_t flash_attention_workspace<T>(int64_t, int64_t, int64_t, int64_t);          \
  template size_t flash_attention_backward_workspace<T>(int64_t, int64_t, int64_t, int64_t); \
  template void flash_attention(const FlashAttention<T>&, void*);                            \
  template void flash_attention_backward(const FlashAttentionBackward<T>&, void*);
VIDEOMAE_INSTANTIATE(float)
VIDEOMAE_INSTANTIATE(double)
#undef VIDEOMAE_INSTANTIATE

}  // namespace videomae
