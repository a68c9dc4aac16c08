// Sums of the columns of a matrix in two stages, for gradients of biases: blocks of rows first, each in order, then the
// blocks in order. How rows are cut is a function of the shape, so the bits are the same every time.
#pragma once

#include "cuda/device/shared_memory.cuh"
#include "cuda/gelu.cuh"
#include "cuda/quad.cuh"

namespace videomae::cuda {

constexpr int kSumRows = 64;      // of a block of the first stage
constexpr int kSumThreads = 256;  // of both stages

template <class T>
struct GradientRows {
  const T* gradient;       // (m, n)
  const T* preactivation;  // (m, n); null when there was no GELU
  T* before;               // (m, n), written with preactivation: the gradient before the GELU
  float* partials;         // (m / kSumRows rounded up, n)
  int m, n;
  bool quads;  // n is a multiple of 4 and matrices begin at quads
};

/// First stage, and on the way GELU'(preactivation) times the gradient: both matrices are read once. A block of 64 x 4
/// threads takes 64 rows of 256 columns.
template <class T>
__global__ void __launch_bounds__(kSumThreads) gradient_rows(GradientRows<T> g) {
  dependent_launch_begin();
  constexpr int across = 64, groups = kSumThreads / across;
  const int quad = static_cast<int>(threadIdx.x) % across, group = static_cast<int>(threadIdx.x) / across;
  const int col = (static_cast<int>(blockIdx.y) * across + quad) * 4, row0 = static_cast<int>(blockIdx.x) * kSumRows;
  const int count = g.n - col < 4 ? g.n - col : 4;
  const bool whole = g.quads && count == 4;
  Quad sums{};
  if (count > 0) {
#pragma unroll 4
    for (int row = row0 + group; row < row0 + kSumRows; row += groups) {
      if (row >= g.m) break;
      const int64_t at = static_cast<int64_t>(row) * g.n + col;
      Quad v = load_quad(g.gradient + at, whole, count);
      if (g.preactivation) {
        const Quad pre = load_quad(g.preactivation + at, whole, count);
#pragma unroll
        for (int i = 0; i < 4; ++i) v.at[i] *= gelu_derivative(pre.at[i]);
        store_quad(g.before + at, v, whole, count);
      }
      add_quad(sums, v);
    }
  }
  float* const shared = shared_memory<float>();  // (groups, 4 across)
  store_floats<4>(shared + (group * across + quad) * 4, sums);
  block_sync();
  const int mine = static_cast<int>(blockIdx.y) * across * 4 + static_cast<int>(threadIdx.x);
  if (mine >= g.n) return;
  float sum = 0;
#pragma unroll
  for (int other = 0; other < groups; ++other) sum += shared[other * across * 4 + threadIdx.x];
  g.partials[static_cast<int64_t>(blockIdx.x) * g.n + mine] = sum;
}

/// Second stage: sums of the columns of (rows, n) partial sums, which `accumulate` adds to those that are there. A
/// block of 32 x 8 threads takes 32 columns.
template <class T>
__global__ void __launch_bounds__(kSumThreads)
    add_partial_rows(const T* partials, int rows, int n, T* sums, bool accumulate) {
  dependent_launch_begin();
  constexpr int across = 32, groups = kSumThreads / across;
  const int lane = static_cast<int>(threadIdx.x) % across, group = static_cast<int>(threadIdx.x) / across;
  const int col = static_cast<int>(blockIdx.x) * across + lane;
  T sum = 0;
  if (col < n) {
#pragma unroll 4
    for (int row = group; row < rows; row += groups) sum += partials[static_cast<int64_t>(row) * n + col];
  }
  T* const shared = shared_memory<T>();  // (groups, across)
  shared[group * across + lane] = sum;
  block_sync();
  if (group > 0 || col >= n) return;
  for (int other = 1; other < groups; ++other) sum += shared[other * across + lane];
  sums[col] = accumulate ? sums[col] + sum : sum;
}

/// Starts the first stage. n > 0, m > 0.
template <class T>
void start_gradient_rows(const Context& context, const GradientRows<T>& g) {
  const dim3 grid(static_cast<unsigned>(ceil_div(g.m, kSumRows)), static_cast<unsigned>(ceil_div(g.n, 256)));
  launch(context, gradient_rows<T>, {grid, dim3(kSumThreads), kSumThreads * sizeof(Quad)}, g);
}

/// Starts the second stage.
inline void start_add_partial_rows(const Context& context, const float* partials, int64_t rows, int64_t n, float* sums,
                                   bool accumulate) {
  launch(context, add_partial_rows<float>,
         {dim3(static_cast<unsigned>(ceil_div(n, 32))), dim3(kSumThreads), kSumThreads * sizeof(float)}, partials,
         static_cast<int>(rows), static_cast<int>(n), sums, accumulate);
}

}  // namespace videomae::cuda
