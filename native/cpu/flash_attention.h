// Fused attention on the CPU, forward and backward: softmax(scale q k^T) v without ever holding an N x N matrix.
//   Forward: the keys pass a block of queries by with a running maximum and sum (online softmax). 4 N^2 d flop a head.
//   Backward: the probabilities are recomputed from the stored log-sum-exp. A piece of work is a range of keys: it owns
//   their grad k and grad v, and what it adds to grad q is kept apart and added up in order at the end. 10 N^2 d flop.
// How a head is cut depends on sizes only, and no sum is shared between threads: any number of threads gives the same
// bits. With many heads a piece is a whole head, whose operands then stay in the cache of one core.
// T is double, float or bf16; statistics, scales and their gradients are wide_t<T>, and every product is summed in it.
// Shapes: B clips, N tokens, H heads, d head_dim. NaN and infinities propagate as in softmax(q k^T) v.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

namespace videomae {

/// Largest head_dim.
constexpr int64_t kAttentionMaxHeadDim = 128;

template <class T>
struct FlashAttention {
  int64_t batch, tokens, heads, head_dim;  // head_dim 1 to 128, tokens >= 1
  const T* qkv;                            // (B, N, 3, H, d), the packed projection
  const wide_t<T>* logit_scale;            // (H), multiplier of q.k per head, or null: head_dim^-0.5
  bool cosine;     // q and k rows are divided by max(norm, 1e-12) first; logit_scale is then required
  T* out;          // (B, N, H, d)
  wide_t<T>* lse;  // (B, H, N), natural-log log-sum-exp of the scaled logits
};

template <class T>
struct FlashAttentionBackward {
  int64_t batch, tokens, heads, head_dim;
  const T* qkv;
  const wide_t<T>* logit_scale;
  bool cosine;
  const T* out;                 // of the forward pass
  const wide_t<T>* lse;         // of the forward pass
  const T* grad_out;            // (B, N, H, d)
  T* grad_qkv;                  // (B, N, 3, H, d), every element written
  wide_t<T>* grad_logit_scale;  // (H) or null: d loss / d logit_scale[h], summed over clips and tokens in fixed order
};

/// Bytes of workspace, under any instruction set; a few tens of MB at most however large the batch, unless one head
/// alone needs more.
template <class T>
size_t flash_attention_workspace(int64_t batch, int64_t tokens, int64_t heads, int64_t head_dim);
template <class T>
size_t flash_attention_backward_workspace(int64_t batch, int64_t tokens, int64_t heads, int64_t head_dim);

/// `workspace`: as many bytes, aligned to 64. Throw std::invalid_argument for sizes out of range and for cosine without
/// logit_scale.
template <class T>
void flash_attention(const FlashAttention<T>& args, void* workspace);
template <class T>
void flash_attention_backward(const FlashAttentionBackward<T>& args, void* workspace);

}  // namespace videomae
