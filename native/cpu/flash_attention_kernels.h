// What the drive of fused attention asks of an instruction set: the functions of one head, each on a part of its
// tokens.
#pragma once

#include "cpu/flash_attention.h"

namespace videomae {

/// Tokens [begin, end); begin is a multiple of kTokenGrain.
struct TokenRange {
  int64_t begin, end;
};

constexpr int64_t kTokenGrain = 64;

/// `head` counts (clip, head) pairs; `space` is the head's part of the workspace, aligned to a cache line.
template <class T>
struct AttentionKernels {
  using Forward = FlashAttention<T>;
  using Backward = FlashAttentionBackward<T>;

  /// Bytes of a head's space. `parts`: into how many ranges of keys the backward pass is cut.
  int64_t (*forward_space)(int64_t tokens, int64_t head_dim);
  int64_t (*backward_space)(int64_t tokens, int64_t head_dim, int64_t parts);

  /// Pack a head's operands. False: these kernels cannot represent its values, `plain` can.
  bool (*prepare_forward)(const Forward&, int64_t head, void* space);
  bool (*prepare_backward)(const Backward&, int64_t head, int64_t parts, void* space);

  /// Writes out and lse of a range of queries.
  void (*forward)(const Forward&, int64_t head, TokenRange queries, void* space);
  /// Writes grad k and grad v of a range of keys, and leaves what it adds to grad q in the space.
  void (*backward)(const Backward&, int64_t head, TokenRange keys, int64_t part, void* space);
  /// Adds these up in order and writes grad q. Returns the head's part of grad_logit_scale.
  double (*finish)(const Backward&, int64_t head, int64_t parts, void* space);

  const AttentionKernels* plain;
};

struct AttentionKernelSet {
  AttentionKernels<float> f32;
  AttentionKernels<double> f64;
  AttentionKernels<bf16> low;
};

extern const AttentionKernelSet kAttentionPortable;
#if defined(__x86_64__)
extern const AttentionKernelSet kAttentionAvx2, kAttentionAvx512;
extern const AttentionKernels<bf16> kAttentionAvx512Bf16, kAttentionAmxBf16;
extern const AttentionKernels<float> kAttentionAmxF32;
#endif

}  // namespace videomae
