// What happens to a product's sums before they are C: the steps that gemm.h lists, four neighbouring elements at a
// time.
//
// The main loops leave their tile of sums in shared memory first. That frees their registers, gives every access of C,
// the residual and the pre-activation whole rows, and lets one rolled loop with choices at run time serve all
// epilogues: its cost is that of the bytes it moves.
#pragma once

#include "cuda/gelu.cuh"
#include "cuda/quad.cuh"

namespace videomae::cuda {

/// T is the dtype of A and B. Pointers that are null leave their step out.
template <class T>
struct Epilogue {
  void* c;
  const float* bias;
  T* preactivation;
  const T* gate;
  const void* residual;
  const int32_t* residual_rows;
  float* column_partials;  // (tiles along m, n): sums of a tile's columns
  int64_t ldc, residual_ld, residual_count;
  int m, n;
  bool c_wide, residual_wide;  // f32, not T
  bool accumulate, gelu;
  bool quads;  // whole_quads() of every matrix here

  /// Turns sums into elements of C at (row, col) to (row, col + 3) and stores those that exist; `v` then holds them,
  /// unrounded. row < m, col < n, col a multiple of 4.
  __device__ __forceinline__ void finish(Quad& v, int row, int col) const {
    const int count = n - col < 4 ? n - col : 4;
    const bool whole = quads && count == 4;
    const int64_t at = row * ldc + col;
    if (accumulate) add_quad(v, load_either(c, c_wide, at, whole, count));
    if (bias) add_quad(v, load_quad(bias + col, whole, count));
    if (preactivation) store_quad(preactivation + at, v, whole, count);
    if (gelu) {
#pragma unroll
      for (int i = 0; i < 4; ++i) v.at[i] = cuda::gelu(v.at[i]);
    }
    if (gate) {
      const Quad before = load_quad(gate + at, whole, count);
#pragma unroll
      for (int i = 0; i < 4; ++i) v.at[i] *= gelu_derivative(before.at[i]);
    }
    if (residual) {
      const int64_t from = residual_rows ? residual_rows[row] : row;
      if (from >= 0 && from < residual_count)
        add_quad(v, load_either(residual, residual_wide, from * residual_ld + col, whole, count));
    }
    if (c_wide)
      store_quad(static_cast<float*>(c) + at, v, whole, count);
    else
      store_quad(static_cast<T*>(c) + at, v, whole, count);
  }

  static __device__ __forceinline__ Quad load_either(const void* from, bool wide, int64_t at, bool whole, int count) {
    return wide ? load_quad(static_cast<const float*>(from) + at, whole, count)
                : load_quad(static_cast<const T*>(from) + at, whole, count);
  }
};

/// Finishes the tile whose sums lie in shared memory, rows `pitch` apart, and which begins at (row0, col0) of C. All
/// threads of the block call, after a barrier. With column_partials it ends with the sums of the tile's columns in row
/// `tile_row` of them: each thread's rows in order, then the threads that share a column in order.
template <class T, int block_m, int block_n, int pitch, int threads>
__device__ __forceinline__ void finish_tile(const Epilogue<T>& epilogue, float* tile, int row0, int col0,
                                            int tile_row) {
  constexpr int quads = block_n / 4, groups = threads / quads;
  const int quad = static_cast<int>(threadIdx.x) % quads * 4, group = static_cast<int>(threadIdx.x) / quads;
  Quad sums{};
  if (col0 + quad < epilogue.n) {
#pragma unroll 2
    for (int row = group; row < block_m; row += groups) {
      if (row0 + row >= epilogue.m) break;
      Quad v = load_floats<4>(tile + row * pitch + quad);
      epilogue.finish(v, row0 + row, col0 + quad);
      add_quad(sums, v);
    }
  }
  if (!epilogue.column_partials) return;
  block_sync();
  store_floats<4>(tile + group * block_n + quad, sums);
  block_sync();
  for (int col = static_cast<int>(threadIdx.x); col < block_n && col0 + col < epilogue.n; col += threads) {
    float sum = 0;
    for (int other = 0; other < groups; ++other) sum += tile[other * block_n + col];
    epilogue.column_partials[static_cast<int64_t>(tile_row) * epilogue.n + col0 + col] = sum;
  }
}

/// Adds the parts of a product whose k was cut, (parts, m, pitch) f32 with pitch a multiple of 4, in order, and
/// finishes them. A thread takes four neighbouring columns; a grid of 256 threads a block covers them all.
template <class T>
__global__ void __launch_bounds__(256) gemm_add_parts(const float* parts, int count, int pitch, Epilogue<T> epilogue) {
  dependent_launch_begin();
  const int64_t index = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  const int quads = pitch / 4;
  if (index >= static_cast<int64_t>(quads) * epilogue.m) return;
  const int row = static_cast<int>(index / quads), col = static_cast<int>(index % quads) * 4;
  const int64_t step = static_cast<int64_t>(epilogue.m) * pitch;
  const float* at = parts + static_cast<int64_t>(row) * pitch + col;
  Quad v = load_floats<4>(at);
  for (int part = 1; part < count; ++part) add_quad(v, load_floats<4>(at += step));
  epilogue.finish(v, row, col);
}

}  // namespace videomae::cuda
