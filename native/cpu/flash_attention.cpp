// The drive of fused attention: workspace, groups of heads, pieces of work. Elements are touched in
// flash_attention_kernel.h and, with instructions for bf16, in flash_attention_tiles.h. Heads go in groups whose packed
// operands fit a bounded workspace; the grouping depends on sizes only.
#include "cpu/flash_attention.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/instruction_set.h"
#include "core/thread_pool.h"
#include "cpu/flash_attention_kernels.h"

namespace videomae {
namespace {

constexpr int64_t kGroupBytes = 24 << 20;  // of packed operands at a time, unless one head needs more
// Pieces of work wanted of one call, to keep many cores busy; and the fewest keys of a piece of the backward pass, each
// of which has a copy of grad q to itself.
constexpr int64_t kForwardPieces = 64, kBackwardPieces = 32, kFewestKeys = 256;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
const AttentionKernels<T>& kernels_of(const AttentionKernelSet& set) {
  if constexpr (std::is_same_v<T, double>)
    return set.f64;
  else if constexpr (std::is_same_v<T, float>)
    return set.f32;
  else
    return set.low;
}

template <class T>
const AttentionKernels<T>& kernels_for(InstructionSet set) {
#if defined(__x86_64__)
  if constexpr (std::is_same_v<T, float>)
    if (set >= InstructionSet::kAmx) return kAttentionAmxF32;
  if constexpr (std::is_same_v<T, bf16>) {
    if (set >= InstructionSet::kAmx) return kAttentionAmxBf16;
    if (set >= InstructionSet::kAvx512Bf16) return kAttentionAvx512Bf16;
  }
  if (set >= InstructionSet::kAvx512) return kernels_of<T>(kAttentionAvx512);
  if (set >= InstructionSet::kAvx2) return kernels_of<T>(kAttentionAvx2);
#endif
  (void)set;
  return kernels_of<T>(kAttentionPortable);
}

/// How a call is cut: heads (of all clips) into groups, the tokens of a head into parts of part_tokens.
struct Cut {
  int64_t tokens, head_dim;
  bool backward;
  int64_t heads, part_tokens, parts, space, group;  // space: bytes of a head

  template <class T>
  Cut(const AttentionKernels<T>& kernels, int64_t batch, int64_t tokens, int64_t heads_per_clip, int64_t d,
      bool backward)
      : tokens(tokens), head_dim(d), backward(backward), heads(batch * heads_per_clip) {
    const int64_t wanted = ceil_div(backward ? kBackwardPieces : kForwardPieces, std::max<int64_t>(1, heads));
    const int64_t most = ceil_div(tokens, backward ? kFewestKeys : kTokenGrain);
    part_tokens = ceil_div(ceil_div(tokens, std::min(wanted, most)), kTokenGrain) * kTokenGrain;
    parts = ceil_div(tokens, part_tokens);
    space = space_of(kernels);
    if (kernels.plain) space = std::max(space, space_of(*kernels.plain));
    group = std::max<int64_t>(1, std::min(heads, kGroupBytes / std::max<int64_t>(1, space)));
  }

  size_t bytes() const { return static_cast<size_t>(group * space); }
  TokenRange part(int64_t p) const { return {p * part_tokens, std::min(tokens, (p + 1) * part_tokens)}; }

 private:
  template <class T>
  int64_t space_of(const AttentionKernels<T>& kernels) const {
    return backward ? kernels.backward_space(tokens, head_dim, parts) : kernels.forward_space(tokens, head_dim);
  }
};

template <class T>
size_t workspace(int64_t batch, int64_t tokens, int64_t heads, int64_t d, bool backward) {
  size_t most = 0;
  for (InstructionSet set : {InstructionSet::kPortable, InstructionSet::kAvx2, InstructionSet::kAvx512,
                             InstructionSet::kAvx512Bf16, InstructionSet::kAmx})
    most = std::max(most, Cut(kernels_for<T>(set), batch, tokens, heads, d, backward).bytes());
  return most;
}

/// Runs all heads, group by group: prepare(head, space) gives the kernels that can hold the head, work(kernels, head,
/// part, space) does a part, finish(kernels, head, space) ends a backward pass.
template <class T, class Prepare, class Work, class Finish>
void for_heads(const Cut& cut, void* memory, Prepare prepare, Work work, Finish finish) {
  using Kernels = const AttentionKernels<T>*;
  auto space_of = [&](int64_t slot) { return static_cast<char*>(memory) + slot * cut.space; };
  std::vector<Kernels> chosen(static_cast<size_t>(cut.group));
  for (int64_t start = 0; start < cut.heads; start += cut.group) {
    const int64_t count = std::min(cut.group, cut.heads - start);
    if (cut.parts == 1) {
      parallel_for(count, [&](int64_t slot) {
        const Kernels kernels = prepare(start + slot, space_of(slot));
        work(*kernels, start + slot, 0, space_of(slot));
        if (cut.backward) finish(*kernels, start + slot, space_of(slot));
      });
      continue;
    }
    parallel_for(count, [&](int64_t slot) { chosen[slot] = prepare(start + slot, space_of(slot)); });
    parallel_for(count * cut.parts, [&](int64_t i) {
      const int64_t slot = i / cut.parts;
      work(*chosen[slot], start + slot, i % cut.parts, space_of(slot));
    });
    if (cut.backward) parallel_for(count, [&](int64_t slot) { finish(*chosen[slot], start + slot, space_of(slot)); });
  }
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
  using Kernels = AttentionKernels<T>;
  const Kernels& kernels = kernels_for<T>(current_instruction_set());
  const Cut cut(kernels, args.batch, args.tokens, args.heads, args.head_dim, false);
  for_heads<T>(
      cut, memory,
      [&](int64_t head, void* space) {
        if (kernels.prepare_forward(args, head, space)) return &kernels;
        kernels.plain->prepare_forward(args, head, space);
        return kernels.plain;
      },
      [&](const Kernels& chosen, int64_t head, int64_t part, void* space) {
        chosen.forward(args, head, cut.part(part), space);
      },
      [](const Kernels&, int64_t, void*) {});
}

template <class T>
void flash_attention_backward(const FlashAttentionBackward<T>& args, void* memory) {
  check(args);
  using Kernels = AttentionKernels<T>;
  const Kernels& kernels = kernels_for<T>(current_instruction_set());
  const Cut cut(kernels, args.batch, args.tokens, args.heads, args.head_dim, true);
  std::vector<double> grad_scale(static_cast<size_t>(cut.heads));
  for_heads<T>(
      cut, memory,
      [&](int64_t head, void* space) {
        if (kernels.prepare_backward(args, head, cut.parts, space)) return &kernels;
        kernels.plain->prepare_backward(args, head, cut.parts, space);
        return kernels.plain;
      },
      [&](const Kernels& chosen, int64_t head, int64_t part, void* space) {
        chosen.backward(args, head, cut.part(part), part, space);
      },
      [&](const Kernels& chosen, int64_t head, void* space) {
        grad_scale[head] = chosen.finish(args, head, cut.parts, space);
      });
  if (!args.grad_logit_scale) return;
  for (int64_t h = 0; h < args.heads; ++h) {
    double sum = 0;
    for (int64_t clip = 0; clip < args.batch; ++clip) sum += grad_scale[clip * args.heads + h];
    args.grad_logit_scale[h] = static_cast<wide_t<T>>(sum);
  }
}

#define VIDEOMAE_INSTANTIATE(T)                                                              \
  template size_t flash_attention_workspace<T>(int64_t, int64_t, int64_t, int64_t);          \
  template size_t flash_attention_backward_workspace<T>(int64_t, int64_t, int64_t, int64_t); \
  template void flash_attention(const FlashAttention<T>&, void*);                            \
  template void flash_attention_backward(const FlashAttentionBackward<T>&, void*);
VIDEOMAE_INSTANTIATE(float)
VIDEOMAE_INSTANTIATE(double)
VIDEOMAE_INSTANTIATE(bf16)
#undef VIDEOMAE_INSTANTIATE

}  // namespace videomae
