// Fused attention on the CPU, forward and backward: softmax(scale q k^T) v without ever holding an N x N matrix.
//   Forward: one piece of work per (clip, head, block of queries); the keys pass by in blocks with a running maximum
//   and sum (online softmax). 4 N^2 d flop a head.
//   Backward: the probabilities are recomputed from the stored log-sum-exp. Pieces over blocks of queries give grad q,
//   pieces over blocks of keys give grad k and grad v: 14 N^2 d flop instead of 10, but no sum is shared between
//   threads. Any number of threads gives the same bits.
// Shapes: B clips, N tokens, H heads, d head_dim. NaN and infinities propagate as in softmax(q k^T) v.
#pragma once

#include <cstddef>
#include <cstdint>

namespace videomae {

/// Largest head_dim.
constexpr int64_t kAttentionMaxHeadDim = 128;

template <class T>
struct FlashAttention {
  int64_t batch, tokens, heads, head_dim;  // head_dim 1 to 128, tokens >= 1
  const T* qkv;                            // (B, N, 3, H, d), the packed projection
  const T* logit_scale;                    // (H), multiplier of q.k per head, or null: head_dim^-0.5
  bool cosine;  // q and k rows are divided by max(norm, 1e-12) first; logit_scale is then required
  T* out;       // (B, N, H, d)
  T* lse;       // (B, H, N), natural-log log-sum-exp of the scaled logits
};

template <class T>
struct FlashAttentionBackward {
  int64_t batch, tokens, heads, head_dim;
  const T* qkv;
  const T* logit_scale;
  bool cosine;
  const T* out;         // of the forward pass
  const T* lse;         // of the forward pass
  const T* grad_out;    // (B, N, H, d)
  T* grad_qkv;          // (B, N, 3, H, d), every element written
  T* grad_logit_scale;  // (H) or null: d loss / d logit_scale[h], summed over clips and tokens in fixed order
};

/// Bytes of workspace, under any instruction set; a few tens of MB at most however large the batch, unless one head
/// alone needs more.
template <class T>
size_t flash_attention_workspace(int64_t batch, int64_t tokens, int64_t heads, int64_t head_dim);
template <class T>
size_t flash_attention_backward_workspace(int64_t batch, int64_t tokens, int64_t heads, int64_t head_dim);

/// `workspace`: as many bytes, aligned to 64. Throw std::invalid_argument for sizes out of range and for cosine without
/// logit_scale. T is float or double.
template <class T>
void flash_attention(const FlashAttention<T>& args, void* workspace);
template <class T>
void flash_attention_backward(const FlashAttentionBackward<T>& args, void* workspace);

}  // namespace videomae
