// The backward pass of layer normalisation. With n the normalised row and h = gradY * weight:
//   gradX = rstd * (h - mean(h) - n * mean(h * n)) + gradSum
// A warp goes over every W-th row, W a function of the shape, and adds up its share of the columns of gradY * n and
// gradY in registers; the warps of a block add theirs through shared memory, and a second stage adds the blocks'.
//
// How a row comes to its warp is a type of its own. Between RowInRegisters and RowsInShared nothing differs but when
// memory is asked for a row, so their results have the same bits.
#pragma once

#include <algorithm>

#include "cuda/device/cp_async.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/elements.cuh"
#include "cuda/reduce.cuh"
#include "ops/layer_norm.h"

namespace videomae::cuda {

constexpr int warps_per_block = 8;

/// Run p of a lane begins at this column.
template <int length>
__device__ __forceinline__ int64_t column_of(int p) {
  return static_cast<int64_t>(p * 32 + threadIdx.x % 32) * length;
}

template <class T>
struct Gradients {
  const T *grad_y, *x, *grad_sum;     // (rows, D), grad_sum may be null
  const float *weight, *mean, *rstd;  // (D), (rows), (rows)
  T* grad_x;                          // (rows, D), or null
  float* partials;                    // (2, blocks, D): of gradWeight, of gradBias
  int64_t rows, width;
};

/// Blocks of the backward pass that a multiprocessor holds, by the registers of a lane that a row and the sums take.
template <class T>
constexpr int64_t resident_blocks(int runs) {
  const int registers = 2 * runs * vector_width<T> + 2 * runs * 4;
  return registers <= 48 ? 3 : registers <= 80 ? 2 : 1;
}

/// As many blocks as 132 multiprocessors hold: a constant, so that no GPU groups the rows in another way.
constexpr int64_t most_blocks(int64_t rows, int64_t resident) {
  return std::min(ceil_div(rows, warps_per_block), 132 * resident);
}

/// A row that a lane loads when its turn has come, and keeps in registers until it has been written.
template <class T, int runs>
class RowInRegisters {
 public:
  static constexpr int length = vector_width<T>;
  static constexpr bool in_shared = false;
  static size_t shared_bytes(int64_t, bool) { return 0; }

  float mean, rstd;

  __device__ __forceinline__ RowInRegisters(const Gradients<T>& op, int64_t, int64_t) : op_(op) {}

  __device__ __forceinline__ void begin(int64_t row) {
    first_ = row * op_.width;
#pragma unroll
    for (int p = 0; p < runs; ++p) {
      const int64_t column = column_of<length>(p), at = first_ + column;
      g_[p] = column < op_.width ? load_run<length>(op_.grad_y + at) : StoredRun<length, T>{};
      x_[p] = column < op_.width ? load_run<length>(op_.x + at) : StoredRun<length, T>{};
    }
    mean = op_.mean[row], rstd = op_.rstd[row];
  }
  __device__ __forceinline__ void end(int64_t) {}

  __device__ __forceinline__ Floats<length> g(int p) const { return floats_of<length>(g_[p]); }
  __device__ __forceinline__ Floats<length> x(int p) const { return floats_of<length>(x_[p]); }
  __device__ __forceinline__ Floats<length> added(int p) const {
    return load_floats<length>(op_.grad_sum + first_ + column_of<length>(p));
  }

 private:
  const Gradients<T>& op_;
  int64_t first_;
  StoredRun<length, T> g_[runs], x_[runs];
};

/// Two rows of a warp in shared memory: while one is worked on, the next is on its way. A lane copies what it will read
/// itself, so no lane waits for another.
template <class T, int runs>
class RowsInShared {
 public:
  static constexpr int length = vector_width<T>;
  static constexpr bool in_shared = true;
  static constexpr int stages = 2;

  /// Of a block.
  static size_t shared_bytes(int64_t width, bool with_sum) {
    return static_cast<size_t>(warps_per_block * stages * (with_sum ? 3 : 2) * width) * sizeof(T);
  }

  float mean, rstd;

  /// @param step  from one row of this warp to the next
  __device__ __forceinline__ RowsInShared(const Gradients<T>& op, int64_t row, int64_t step)
      : op_(op), step_(step), next_mean_(0), next_rstd_(0) {
    stage_elements_ = (op.grad_sum != nullptr ? 3 : 2) * static_cast<int>(op.width);
    here_ = shared_memory<T>() + static_cast<int>(threadIdx.x) / 32 * stages * stage_elements_;
    other_ = here_ + stage_elements_;
    if (row < op.rows) next_mean_ = op.mean[row], next_rstd_ = op.rstd[row];
    copy(row, here_), copy(row + step, other_);
  }

  __device__ __forceinline__ void begin(int64_t row) {
    mean = next_mean_, rstd = next_rstd_;
    if (row + step_ < op_.rows) next_mean_ = op_.mean[row + step_], next_rstd_ = op_.rstd[row + step_];
    cp_async_wait<stages - 1>();
  }
  __device__ __forceinline__ void end(int64_t row) {
    copy(row + stages * step_, here_);
    T* const next = other_;
    other_ = here_, here_ = next;
  }

  __device__ __forceinline__ Floats<length> g(int p) const { return of_tensor(0, p); }
  __device__ __forceinline__ Floats<length> x(int p) const { return of_tensor(1, p); }
  __device__ __forceinline__ Floats<length> added(int p) const { return of_tensor(2, p); }

 private:
  __device__ __forceinline__ Floats<length> of_tensor(int which, int p) const {
    return load_floats<length>(here_ + which * op_.width + column_of<length>(p));
  }

  /// Asks for a row; a group for every one, also where none is left: waiting counts groups.
  __device__ __forceinline__ void copy(int64_t row, T* to) const {
    if (row < op_.rows) {
#pragma unroll
      for (int p = 0; p < runs; ++p) {
        const int64_t column = column_of<length>(p), from = row * op_.width + column;
        if (column >= op_.width) continue;
        cp_async<16>(to + column, op_.grad_y + from);
        cp_async<16>(to + op_.width + column, op_.x + from);
        if (op_.grad_sum != nullptr) cp_async<16>(to + 2 * op_.width + column, op_.grad_sum + from);
      }
    }
    cp_async_commit();
  }

  const Gradients<T>& op_;
  int64_t step_;
  int stage_elements_;
  T *here_, *other_;
  float next_mean_, next_rstd_;
};

template <class T, int runs, template <class, int> class Rows>
__global__ void __launch_bounds__(32 * warps_per_block, resident_blocks<T>(runs))
    layer_norm_backward_warp(Gradients<T> op) {
  dependent_launch_begin();
  constexpr int length = vector_width<T>;
  const int64_t width = op.width, first = thread_number() / 32, step = int64_t{gridDim.x} * warps_per_block;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  Floats<length> weight_sums[runs] = {}, bias_sums[runs] = {};
  Rows<T, runs> in(op, first, step);
  for (int64_t row = first; row < op.rows; row += step) {
    in.begin(row);
    const float mean = in.mean, rstd = in.rstd;
    float h_sum = 0, hn_sum = 0;
#pragma unroll
    for (int p = 0; p < runs; ++p) {
      const int64_t column = column_of<length>(p);
      if (column >= width) continue;
      const Floats<length> weight = load_floats<length>(op.weight + column), g = in.g(p), v = in.x(p);
#pragma unroll
      for (int j = 0; j < length; ++j) {
        const float n = (v.at[j] - mean) * rstd, h = g.at[j] * weight.at[j];
        h_sum += h;
        hn_sum += h * n;
        weight_sums[p].at[j] += g.at[j] * n;
        bias_sums[p].at[j] += g.at[j];
      }
    }
    if (op.grad_x != nullptr) {
      const float h_mean = warp_sum(h_sum) / static_cast<float>(width);
      const float hn_mean = warp_sum(hn_sum) / static_cast<float>(width);
#pragma unroll
      for (int p = 0; p < runs; ++p) {
        const int64_t column = column_of<length>(p);
        if (column >= width) continue;
        const Floats<length> weight = load_floats<length>(op.weight + column), v = in.x(p);
        Floats<length> g = in.g(p);
#pragma unroll
        for (int j = 0; j < length; ++j)
          g.at[j] = rstd * (g.at[j] * weight.at[j] - h_mean - (v.at[j] - mean) * rstd * hn_mean);
        if (op.grad_sum != nullptr) {
          const Floats<length> added = in.added(p);
#pragma unroll
          for (int j = 0; j < length; ++j) g.at[j] += added.at[j];
        }
        store_floats<length>(op.grad_x + row * width + column, g);
      }
    }
    in.end(row);
  }
  if (Rows<T, runs>::in_shared) block_sync();  // the sums lie where rows were
  float* shared = shared_memory<float>();      // (warps, D)
  for (int which = 0; which < 2; ++which) {
#pragma unroll
    for (int p = 0; p < runs; ++p)
      if (column_of<length>(p) < width)
        store_floats<length>(shared + warp * width + column_of<length>(p), which == 0 ? weight_sums[p] : bias_sums[p]);
    block_sync();
    float* partial = op.partials + (int64_t{gridDim.x} * which + blockIdx.x) * width;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
      float sum = shared[i];
      for (int k = 1; k < warps_per_block; ++k) sum += shared[k * width + i];
      partial[i] = sum;
    }
    block_sync();
  }
}

/// Rows of a block when rows are not kept in registers.
constexpr int64_t rows_per_block = LayerNormBackward::rows_per_block;

template <class T>
__global__ void layer_norm_backward_block(Gradients<T> op) {
  dependent_launch_begin();
  float* scratch = shared_memory<float>();
  const int64_t width = op.width, from = blockIdx.x * rows_per_block, until = min(op.rows, from + rows_per_block);
  float* weight_sums = op.partials + int64_t{blockIdx.x} * width;
  float* bias_sums = weight_sums + int64_t{gridDim.x} * width;
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) weight_sums[i] = bias_sums[i] = 0;
  for (int64_t row = from; row < until; ++row) {
    const T *g = op.grad_y + row * width, *x = op.x + row * width;
    const float mean = op.mean[row], rstd = op.rstd[row];
    const auto normalised = [&](int64_t i) { return (cuda::to_float(x[i]) - mean) * rstd; };
    float h_sum = 0, hn_sum = 0;
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
      const float gradient = cuda::to_float(g[i]), n = normalised(i), h = gradient * op.weight[i];
      h_sum += h;
      hn_sum += h * n;
      weight_sums[i] += gradient * n;
      bias_sums[i] += gradient;
    }
    if (op.grad_x == nullptr) continue;
    const float h_mean = block_sum(h_sum, scratch) / static_cast<float>(width);
    const float hn_mean = block_sum(hn_sum, scratch) / static_cast<float>(width);
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
      float gradient = rstd * (cuda::to_float(g[i]) * op.weight[i] - h_mean - normalised(i) * hn_mean);
      if (op.grad_sum != nullptr) gradient += cuda::to_float(op.grad_sum[row * width + i]);
      op.grad_x[row * width + i] = from_float<T>(gradient);
    }
  }
}

}  // namespace videomae::cuda
