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

  /// Lets C begin `elements` further on: an item of a batch, a part.
  __device__ __forceinline__ void skip(int64_t elements) {
    if (c_wide)
      c = static_cast<float*>(c) + elements;
    else
      c = static_cast<T*>(c) + elements;
  }

  /// The first of the matrices that the steps read, at (row, col) to (row, col + 3): C, the gate or the residual. Rows
  /// are read ahead by it, because no load may pass a store that might be to the same place.
  __device__ __forceinline__ Quad read_first(int row, int col) const {
    const int count = n - col < 4 ? n - col : 4;
    const bool whole = quads && count == 4;
    const int64_t at = row * ldc + col;
    if (accumulate) return load_either(c, c_wide, at, whole, count);
    if (gate) return load_quad(gate + at, whole, count);
    return residual ? read_residual(row, col, whole, count) : Quad{};
  }

  /// Turns the sums of `rows` rows, `step` apart from `row` on, into elements of C at columns col to col + 3, and
  /// stores those that exist; `v` then holds them, unrounded. `first`: what read_first() gave for rows below m. col <
  /// n, a multiple of 4. Each step is taken for all rows at once, so that they hide each other's latency.
  template <int rows>
  __device__ __forceinline__ void finish(Quad (&v)[rows], const Quad (&first)[rows], int row, int step, int col) const {
    const int count = n - col < 4 ? n - col : 4;
    const bool whole = quads && count == 4;
    const auto for_rows = [&](auto body) {
#pragma unroll
      for (int i = 0; i < rows; ++i)
        if (row + i * step < m) body(i, (row + i * step) * ldc + col);
    };
    if (accumulate) add_quads(v, first);
    if (bias) {
      const Quad terms = load_quad(bias + col, whole, count);
#pragma unroll
      for (int i = 0; i < rows; ++i) add_quad(v[i], terms);
    }
    if (preactivation) for_rows([&](int i, int64_t at) { store_quad(preactivation + at, v[i], whole, count); });
    if (gelu) {
#pragma unroll
      for (int i = 0; i < rows; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) v[i].at[j] = cuda::gelu(v[i].at[j]);
    }
    if (gate) {
      Quad before[rows];
#pragma unroll
      for (int i = 0; i < rows; ++i) before[i] = first[i];
      if (accumulate) for_rows([&](int i, int64_t at) { before[i] = load_quad(gate + at, whole, count); });
#pragma unroll
      for (int i = 0; i < rows; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) v[i].at[j] *= gelu_derivative(before[i].at[j]);
    }
    if (residual) {
      if (accumulate || gate)
        for_rows([&](int i, int64_t) { add_quad(v[i], read_residual(row + i * step, col, whole, count)); });
      else
        add_quads(v, first);
    }
    if (c_wide)
      for_rows([&](int i, int64_t at) { store_quad(static_cast<float*>(c) + at, v[i], whole, count); });
    else
      for_rows([&](int i, int64_t at) { store_quad(static_cast<T*>(c) + at, v[i], whole, count); });
  }

 private:
  template <int rows>
  static __device__ __forceinline__ void add_quads(Quad (&v)[rows], const Quad (&terms)[rows]) {
#pragma unroll
    for (int i = 0; i < rows; ++i) add_quad(v[i], terms[i]);
  }

  __device__ __forceinline__ Quad read_residual(int row, int col, bool whole, int count) const {
    const int64_t from = residual_rows ? residual_rows[row] : row;
    if (from < 0 || from >= residual_count) return Quad{};
    return load_either(residual, residual_wide, from * residual_ld + col, whole, count);
  }

  static __device__ __forceinline__ Quad load_either(const void* from, bool wide, int64_t at, bool whole, int count) {
    return wide ? load_quad(static_cast<const float*>(from) + at, whole, count)
                : load_quad(static_cast<const T*>(from) + at, whole, count);
  }
};

/// Finishes `count` rows, `step` apart from `row` on, of columns col to col + 3, `ahead` rows at a time; their sums, as
/// sums_of(i) gives them for row i of these. @returns the sums of the finished columns, rows in order
template <int count, int ahead, class T, class SumsOf>
__device__ __forceinline__ Quad finish_rows(const Epilogue<T>& epilogue, int row, int step, int col,
                                            const SumsOf& sums_of) {
  static_assert(count % ahead == 0, "whole groups of rows");
  Quad columns{};
#pragma unroll 1
  for (int done = 0; done < count; done += ahead) {
    const int begin = row + done * step;
    if (begin >= epilogue.m) break;
    Quad first[ahead] = {}, v[ahead];
#pragma unroll
    for (int i = 0; i < ahead; ++i)
      if (begin + i * step < epilogue.m) first[i] = epilogue.read_first(begin + i * step, col);
#pragma unroll
    for (int i = 0; i < ahead; ++i) v[i] = sums_of(done + i);
    epilogue.finish(v, first, begin, step, col);
#pragma unroll
    for (int i = 0; i < ahead; ++i)
      if (begin + i * step < epilogue.m) add_quad(columns, v[i]);
  }
  return columns;
}

/// Finishes the tile whose sums lie in shared memory, rows `pitch` apart, and which begins at (row0, col0) of C. All
/// threads of the block call, after a barrier. With column_partials it ends with the sums of the tile's columns in row
/// `tile_row` of them: each thread's rows in order, then the threads that share a column in order.
template <class T, int block_m, int block_n, int pitch, int threads>
__device__ __forceinline__ void finish_tile(const Epilogue<T>& epilogue, float* tile, int row0, int col0,
                                            int tile_row) {
  constexpr int quads = block_n / 4, groups = threads / quads, rows = block_m / groups;
  const int quad = static_cast<int>(threadIdx.x) % quads * 4, group = static_cast<int>(threadIdx.x) / quads;
  Quad sums{};
  if (col0 + quad < epilogue.n)
    sums = finish_rows<rows, (rows > 16 ? 4 : 2)>(epilogue, row0 + group, groups, col0 + quad, [&](int row) {
      return load_floats<4>(tile + (group + row * groups) * pitch + quad);
    });
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
  Quad v[1] = {load_floats<4>(at)};
  for (int part = 1; part < count; ++part) add_quad(v[0], load_floats<4>(at += step));
  const Quad first[1] = {epilogue.read_first(row, col)};
  epilogue.finish(v, first, row, 1, col);
}

}  // namespace videomae::cuda
