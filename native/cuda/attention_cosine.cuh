// What only cosine attention needs: 1 / norm of every row of q and k beforehand, and afterwards the gradient of the
// logit scales out of the parts that blocks of queries left.
#pragma once

#include "cuda/attention_operands.cuh"
#include "cuda/device/bfloat16.cuh"
#include "cuda/device/dependent_launch.cuh"
#include "cuda/reduce.cuh"

namespace videomae::cuda {

constexpr int kNormThreads = 128;

/// A warp a row: inverse_norms (2, B, H, N), 1 / max(norm, 1e-12) of q and k.
template <class T>
__global__ void __launch_bounds__(kNormThreads)
    attention_inverse_norms(AttentionShape shape, const T* qkv, float* inverse_norms) {
  dependent_launch_begin();
  const int64_t heads = static_cast<int64_t>(shape.batch) * shape.heads, rows = 2 * heads * shape.tokens;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * (kNormThreads / 32) + threadIdx.x / 32;
  if (row >= rows) return;
  const int which = row >= heads * shape.tokens, token = static_cast<int>(row % shape.tokens);
  const int head = static_cast<int>(row / shape.tokens % heads);
  const T* x = packed_rows(qkv, shape, head, which).from(token).first;
  float sum = 0;
  for (int c = static_cast<int>(threadIdx.x) % 32; c < shape.width; c += 32)
    sum += cuda::to_float(x[c]) * cuda::to_float(x[c]);
  const float norm = sqrtf(warp_sum(sum));
  if (threadIdx.x % 32 == 0) inverse_norms[row] = 1 / (norm < 1e-12f ? 1e-12f : norm);  // a NaN stays
}

/// A warp a head: scale_gradient (H), the sum of parts (B, H, tiles) in a fixed order.
__global__ void __launch_bounds__(32)
    attention_scale_gradient(AttentionShape shape, int tiles, const float* parts, float* scale_gradient) {
  dependent_launch_begin();
  float sum = 0;
  for (int64_t i = threadIdx.x; i < static_cast<int64_t>(shape.batch) * tiles; i += 32)
    sum += parts[(i / tiles * shape.heads + blockIdx.x) * tiles + i % tiles];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) scale_gradient[blockIdx.x] = sum;
}

}  // namespace videomae::cuda
