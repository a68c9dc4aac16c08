// Fused attention backward in bf16 for any number of tokens, in two kernels that are one template: a block holds the
// queries of one head and computes dQ, or holds keys and values and computes dK and dV; the other side passes by in a
// ring of two stages. The probabilities are recomputed from the stored log-sum-exp:
//   P = 2^(log2(e) (scale S - lse))   dP = dO V^T   dS = P (dP - D)   D = rowsum(dO O)
//   dV = P^T dO   dQ = scale dS K   dK = scale dS^T Q
// Together 14 N^2 d operations a head instead of 10, and in exchange no sum is shared between blocks: nothing but the
// result is written, and its bits are always the same. The kernel of keys computes S^T and dP^T, so that in both
// kernels P and dS are left operands straight from the accumulators.
//
// Cosine attention: S becomes the cosine, multiplied by 1 / norm of both rows; dS is multiplied by 1 / norm of its
// columns before it is rounded, and rows of dQ and dK go back through the normalisation of Q and K in f32.
#pragma once

#include "cuda/attention_accumulators.cuh"
#include "cuda/device/dependent_launch.cuh"
#include "cuda/device/exp2.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/reduce.cuh"

namespace videomae::cuda {

struct AttentionBackwardArguments {
  AttentionShape shape;
  AttentionScale scale;
  const bf16 *qkv, *y, *grad_y;  // (B, N, 3, H, K), (B, N, H, K) twice
  const float* lse;              // (B, H, N)
  float* dots;                   // (B, H, N), D: written by the kernel of queries, read by that of keys
  bf16* grad_qkv;                // (B, N, 3, H, K)
  float* scale_parts;            // (B, H, blocks of queries), cosine only: parts of the logit scales' gradient
};

/// The dot product of two chunks of 8 bf16.
__device__ __forceinline__ float dot_of_chunks(const uint4& a, const uint4& b) {
  const uint32_t left[4] = {a.x, a.y, a.z, a.w}, right[4] = {b.x, b.y, b.z, b.w};
  float dot = 0;
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    const float2 u = unpack_bf16(left[w]), v = unpack_bf16(right[w]);
    dot += u.x * v.x + u.y * v.y;
  }
  return dot;
}

/// D of this thread's rows; the four lanes that hold a row share the work.
/// @tparam chunks  of a row at most
template <bool any, int chunks, int blocks>
__device__ __forceinline__ void output_dots(float (&dots)[blocks][2], HeadRows<const bf16> y, HeadRows<const bf16> grad,
                                            int row, int tokens, int width) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int token = row + 16 * m + 8 * half + lane / 4;
      const bf16 *a = y.from(min(token, tokens - 1)).first, *b = grad.from(min(token, tokens - 1)).first;
      float dot = 0;
      if constexpr (any) {
        for (int c = lane % 4; c < width; c += 4) dot += cuda::to_float(a[c]) * cuda::to_float(b[c]);
      } else {
        // All loads go out together: a lane that has no chunk, or no row, repeats the last.
        constexpr int kParts = (chunks + 3) / 4;
        uint4 left[kParts], right[kParts];
#pragma unroll
        for (int i = 0; i < kParts; ++i) {
          const int column = min(8 * (lane % 4 + 4 * i), width - 8);
          left[i] = *reinterpret_cast<const uint4*>(a + column), right[i] = *reinterpret_cast<const uint4*>(b + column);
        }
#pragma unroll
        for (int i = 0; i < kParts; ++i) {
          const float part = dot_of_chunks(left[i], right[i]);
          dot += 8 * (lane % 4 + 4 * i) < width ? part : 0;
        }
      }
      dot = quad_sum(dot);
      dots[m][half] = token < tokens ? dot : 0;
    }
}

/// From g, the gradient of x / norm, to that of x: (g - x^ (x^ . g)) / norm with x^ = x / norm; without the projection
/// where the norm is at its floor and x^ is linear in x. Rows of x lie in shared memory.
template <class Tile, int blocks>
__device__ __forceinline__ void through_normalisation(float (&g)[blocks][Tile::chunks][4], const unsigned char* tile,
                                                      int row, const float (&inverse_norms)[blocks][2]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int m = 0; m < blocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const unsigned char* x = tile + (row + 16 * m + 8 * half) * Tile::row_bytes + lane % 4 * 4;
      const float inverse = inverse_norms[m][half];
      float along = 0;
#pragma unroll
      for (int n = 0; n < Tile::chunks; ++n) {
        const float2 pair = unpack_bf16(*reinterpret_cast<const uint32_t*>(x + Tile::offset(lane / 4, n)));
        along += pair.x * inverse * g[m][n][2 * half] + pair.y * inverse * g[m][n][2 * half + 1];
      }
      along = quad_sum(along);
      if (inverse >= kLargestInverseNorm) along = 0;
#pragma unroll
      for (int n = 0; n < Tile::chunks; ++n) {
        const float2 pair = unpack_bf16(*reinterpret_cast<const uint32_t*>(x + Tile::offset(lane / 4, n)));
        g[m][n][2 * half] = (g[m][n][2 * half] - pair.x * inverse * along) * inverse;
        g[m][n][2 * half + 1] = (g[m][n][2 * half + 1] - pair.y * inverse * along) * inverse;
      }
    }
}

/// @tparam keys  whether the block's own rows are keys and values, and not queries
/// @tparam general  any alignment and width, and cosine attention; else neither
/// @param ring_rows  of a stage of the ring: 32 or 64
template <class Tile, bool keys, bool general>
__global__ void __launch_bounds__(32 * BackwardTiling<Tile, keys, general>::warps,
                                  BackwardTiling<Tile, keys, general>::resident)
    attention_backward_mma(AttentionBackwardArguments args, int ring_rows) {
  dependent_launch_begin();
  constexpr int blocks = BackwardTiling<Tile, keys, general>::blocks, kOwnRows = 16 * blocks;
  constexpr int kStep = BackwardTiling<Tile, keys, general>::step_rows, kParts = kStep / 8;
  const AttentionShape& shape = args.shape;
  const int tokens = shape.tokens, width = shape.width;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
  const int block_rows = static_cast<int>(blockDim.x) / 32 * kOwnRows;
  const int tiles = (tokens + block_rows - 1) / block_rows;
  const int head = static_cast<int>(blockIdx.x) / tiles;
  const int first_of_block = static_cast<int>(blockIdx.x) % tiles * block_rows;
  const int own = thread / 32 * kOwnRows, first = first_of_block + own;  // the warp's first row in the tile, and token
  const int64_t head_begin = static_cast<int64_t>(head) * tokens;
  const bool cosine = general && args.scale.cosine();

  unsigned char* own_qk = shared_memory<unsigned char>();            // q, or k
  unsigned char* own_other = own_qk + block_rows * Tile::row_bytes;  // gradY, or v
  unsigned char* ring = own_other + block_rows * Tile::row_bytes;    // k and v, or q and gradY
  float* terms = reinterpret_cast<float*>(ring + 4 * ring_rows * Tile::row_bytes);

  const HeadRows<const bf16> q = packed_rows(args.qkv, shape, head, 0), k = packed_rows(args.qkv, shape, head, 1);
  const HeadRows<const bf16> v = packed_rows(args.qkv, shape, head, 2), grad_y = merged_rows(args.grad_y, shape, head);
  const auto load_stage = [&](int token) {
    const int stage = token & ring_rows, valid = tokens - token;  // its first row: 0 or ring_rows
    unsigned char* to = ring + stage * 2 * Tile::row_bytes;
    load_rows<Tile, general>(to, ring_rows, (keys ? q : k).from(token), valid, width);
    load_rows<Tile, general>(to + ring_rows * Tile::row_bytes, ring_rows, (keys ? grad_y : v).from(token), valid,
                             width);
    float* numbers = terms + stage * 3;
    if (keys) {
      load_row_terms(numbers, ring_rows, args.lse + head_begin + token, valid);
      load_row_terms(numbers + ring_rows, ring_rows, args.dots + head_begin + token, valid);
    }
    if (cosine)
      load_row_terms(numbers + 2 * ring_rows, ring_rows, args.scale.norms_of(shape, head, keys ? 0 : 1) + token, valid);
    cp_async_commit();
  };
  load_rows<Tile, general>(own_qk, block_rows, (keys ? k : q).from(first_of_block), tokens - first_of_block, width);
  load_rows<Tile, general>(own_other, block_rows, (keys ? v : grad_y).from(first_of_block), tokens - first_of_block,
                           width);
  load_stage(0);

  const float scale = args.scale.of(head, shape.heads), scale2 = scale * kLog2E;
  float own_norms[blocks][2], own_lse[blocks][2], own_dots[blocks][2];
  if (cosine) read_row_terms(own_norms, args.scale.norms_of(shape, head, keys ? 1 : 0), first, tokens);
  if constexpr (!keys) {
    read_row_terms(own_lse, args.lse + head_begin, first, tokens);
    output_dots<general, Tile::chunks>(own_dots, merged_rows(args.y, shape, head), grad_y, first, tokens, width);
#pragma unroll
    for (int m = 0; m < blocks; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        own_lse[m][half] *= kLog2E;
        const int token = first + 16 * m + 8 * half + lane / 4;
        if (lane % 4 == 0 && token < tokens) args.dots[head_begin + token] = own_dots[m][half];
      }
  }

  float scale_gradient = 0;                         // this thread's part
  float sum[blocks][Tile::chunks][4];               // dQ, or dK, but for the factor
  float sum_v[keys ? blocks : 1][Tile::chunks][4];  // dV
  clear(sum);
  if constexpr (keys) clear(sum_v);
  for (int token = 0; token < tokens; token += ring_rows) {
    cp_async_wait<0>();
    block_sync();  // this stage has come; all have done with the other
    if (token + ring_rows < tokens) load_stage(token + ring_rows);
    if (first >= tokens) continue;
    const int stage = token & ring_rows;
    const unsigned char* other_qk = ring + stage * 2 * Tile::row_bytes;
    const unsigned char* other = other_qk + ring_rows * Tile::row_bytes;
    const float* numbers = terms + stage * 3;
#pragma unroll 1
    for (int step = 0; step < ring_rows && token + step < tokens; step += kStep) {
      float p[blocks][kParts][4], ds[blocks][kParts][4];
      multiply_rows<Tile>(p, own_qk, own, other_qk, step);
      if (cosine) scale_rows(p, own_norms), scale_columns(p, numbers + 2 * ring_rows + step);
      multiply_rows<Tile>(ds, own_other, own, other, step);
#pragma unroll
      for (int n = 0; n < kParts; ++n) {
        const float* column = numbers + step + 8 * n + lane % 4 * 2;
        float2 lse, dots;
        if constexpr (keys) {
          lse = *reinterpret_cast<const float2*>(column), dots = *reinterpret_cast<const float2*>(column + ring_rows);
          lse.x *= kLog2E, lse.y *= kLog2E;
        }
#pragma unroll
        for (int m = 0; m < blocks; ++m)
#pragma unroll
          for (int r = 0; r < 4; ++r) {
            const float lse_of = keys ? (r % 2 ? lse.y : lse.x) : own_lse[m][r / 2];
            const float dots_of = keys ? (r % 2 ? dots.y : dots.x) : own_dots[m][r / 2];
            const float probability = exp2_approximate(p[m][n][r] * scale2 - lse_of);
            ds[m][n][r] = probability * (ds[m][n][r] - dots_of);
            if (keys) p[m][n][r] = probability;
          }
      }
      // Columns beyond the last token: as queries they are zero rows of Q and gradY, with lse and D zero: P is 1 and dS
      // is 0. As keys they have an S of 0, whose P may be anything.
      const int valid = tokens - token - step;
      if (!keys && valid < kStep) mask_columns(ds, valid, 0);
      if (cosine) {
        if (!keys) scale_gradient += sum_of_products(ds, p);  // p still holds the cosines
        scale_columns(ds, numbers + 2 * ring_rows + step);
      }
      uint32_t rounded[blocks][kParts / 2][4];
      if constexpr (keys) {
        round_products(rounded, p);
        add_products<Tile>(sum_v, rounded, other, step);
      }
      round_products(rounded, ds);
      add_products<Tile>(sum, rounded, other_qk, step);
    }
  }

  if (first < tokens) {
    if (cosine) through_normalisation<Tile>(sum, own_qk, own, own_norms);
    const int valid = min(tokens - first, kOwnRows);
    warp_sync();                              // all lanes have done with the warp's rows
    put_rows<Tile>(own_qk, own, sum, scale);  // over its own rows, which no other warp reads
    if constexpr (keys) put_rows<Tile>(own_other, own, sum_v, 1);
    warp_sync();
    store_rows<Tile, general>(packed_rows(args.grad_qkv, shape, head, keys ? 1 : 0).from(first), own_qk, own, valid,
                              width, lane, 32);
    if (keys)
      store_rows<Tile, general>(packed_rows(args.grad_qkv, shape, head, 2).from(first), own_other, own, valid, width,
                                lane, 32);
  }
  if (!keys && cosine && args.scale_parts) {
    block_sync();
    const float part = block_sum(scale_gradient, terms);
    if (thread == 0) args.scale_parts[blockIdx.x] = part;
  }
}

}  // namespace videomae::cuda
