// Where the rows of one head lie in the operands of attention. Inlined everywhere, for the reason given in vectors.h.
#pragma once

#include "cpu/flash_attention.h"
#include "cpu/vectors.h"

namespace videomae::attention_rows {

/// Elements from one token's row to the next, in qkv and in out.
template <class Args>
VIDEOMAE_INLINE int64_t qkv_step(const Args& args) {
  return 3 * args.heads * args.head_dim;
}
template <class Args>
VIDEOMAE_INLINE int64_t out_step(const Args& args) {
  return args.heads * args.head_dim;
}

/// First row of q (0), k (1) or v (2) of a head.
template <class Args>
VIDEOMAE_INLINE int64_t qkv_offset(const Args& args, int64_t head, int64_t which) {
  const int64_t clip = head / args.heads, h = head % args.heads;
  return clip * args.tokens * qkv_step(args) + (which * args.heads + h) * args.head_dim;
}

template <class Args>
VIDEOMAE_INLINE int64_t out_offset(const Args& args, int64_t head) {
  return (head / args.heads * args.tokens * args.heads + head % args.heads) * args.head_dim;
}

/// What multiplies q . k.
template <class Args>
VIDEOMAE_INLINE double scale(const Args& args, int64_t head) {
  return args.logit_scale ? static_cast<double>(args.logit_scale[head % args.heads])
                          : 1 / __builtin_sqrt(static_cast<double>(args.head_dim));
}

}  // namespace videomae::attention_rows
