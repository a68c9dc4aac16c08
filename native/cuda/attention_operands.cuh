// What the kernels of attention are given, and where one head of one clip lies in it.
#pragma once

#include "core/dtype.h"
#include "cuda/device/kernel.cuh"

namespace videomae::cuda {

constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;
/// 1 / max(norm, 1e-12) of a row whose norm is at or below the floor.
constexpr float kLargestInverseNorm = 1 / 1e-12f;

struct AttentionShape {
  int batch, tokens, heads, width;
};

/// The scale of q.k. Cosine attention has one a head, and 1 / norm of every row of q and k.
struct AttentionScale {
  float constant;              ///< without logit_scale
  const float* logit_scale;    ///< (H), or null
  const float* inverse_norms;  ///< (2, B, H, N), of q and k; null without logit_scale

  __device__ __forceinline__ bool cosine() const { return logit_scale != nullptr; }
  __device__ __forceinline__ float of(int head, int heads) const {
    return cosine() ? logit_scale[head % heads] : constant;
  }
  /// (N) of q (0) or k (1).
  __device__ __forceinline__ const float* norms_of(const AttentionShape& shape, int head, int which) const {
    return inverse_norms + static_cast<int64_t>(which * shape.batch * shape.heads + head) * shape.tokens;
  }
};

/// The rows of one head of one clip in global memory.
template <class T>
struct HeadRows {
  T* first;
  int stride;  // elements from row to row

  __device__ __forceinline__ HeadRows from(int row) const {
    return {first + static_cast<int64_t>(row) * stride, stride};
  }
};

/// q (0), k (1) or v (2) of packed projections (B, N, 3, H, K). `head` counts (clip, head) pairs.
template <class T>
__device__ __forceinline__ HeadRows<T> packed_rows(T* qkv, const AttentionShape& shape, int head, int which) {
  const int stride = 3 * shape.heads * shape.width;
  return {qkv + static_cast<int64_t>(head / shape.heads) * shape.tokens * stride +
              (which * shape.heads + head % shape.heads) * shape.width,
          stride};
}

/// A head of (B, N, H, K).
template <class T>
__device__ __forceinline__ HeadRows<T> merged_rows(T* y, const AttentionShape& shape, int64_t head) {
  const int stride = shape.heads * shape.width;
  return {y + static_cast<int64_t>(head / shape.heads) * shape.tokens * stride + head % shape.heads * shape.width,
          stride};
}

}  // namespace videomae::cuda
