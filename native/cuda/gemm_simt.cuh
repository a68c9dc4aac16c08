// f32 products on the multiply-add units, in real f32: for checks, and for whoever asks for f32 throughout.
//
// A thread holds 8 x 8 sums; per step of k it reads 16 numbers from shared memory for 64 multiply-adds. Tiles come by
// cp.async of single elements, which sets any stride and alignment right and turns k-contiguous operands on the way; 16
// copies stand against 1024 multiply-adds, so wider ones would gain nothing.
#pragma once

#include "cuda/device/cp_async.cuh"
#include "cuda/device/shared_memory.cuh"
#include "cuda/gemm_epilogue.cuh"

namespace videomae::cuda {

struct SimtOperand {
  const float* data;
  int64_t mn_step, k_step;  // elements between neighbours along m or n, and along k; one of them is 1
  int64_t batch_step;
};

struct SimtArguments {
  SimtOperand a, b;
  int m, n, k;
  int k_part;  // of k for one part; k when there is one part
  int64_t c_batch_step, c_part_step;
  Epilogue<float> epilogue;
};

/// block x block of C a block of threads, 16 of k a stage.
template <int block>
struct SimtShape {
  static constexpr int k_step = 16, stages = 3;
  static constexpr int across = block / 8, threads = across * across;
  static constexpr int blocks = block == 128 ? 2 : 4;  ///< that share a multiprocessor
  static constexpr int row = block + 4;                ///< floats of one k in shared memory
  static constexpr int operand_floats = k_step * row;
  static constexpr int pitch = block + 8;  ///< of the finished tile
  static constexpr int stage_floats = 2 * operand_floats;
  static constexpr int shared_bytes =
      4 * (stages * stage_floats > block * pitch ? stages * stage_floats : block * pitch);
};

/// Copies block x 16 of an operand so that shared memory holds it by k. Neighbouring threads follow the index whose
/// neighbours lie side by side in memory.
template <int block>
__device__ __forceinline__ void copy_operand(float* to, const SimtOperand& operand, int mn0, int mn_left, int k0,
                                             int k_left) {
  using Shape = SimtShape<block>;
  const int thread = static_cast<int>(threadIdx.x);
  const bool by_k = operand.k_step == 1;
  const int first_mn = by_k ? thread / Shape::k_step : thread % block;
  const int first_k = by_k ? thread % Shape::k_step : thread / block;
  const int next_mn = by_k ? Shape::threads / Shape::k_step : 0, next_k = by_k ? 0 : Shape::threads / block;
  const float* from = operand.data + (mn0 + first_mn) * operand.mn_step + (k0 + first_k) * operand.k_step;
  const int64_t step = next_mn * operand.mn_step + next_k * operand.k_step;
#pragma unroll 2
  for (int pass = 0; pass < block * Shape::k_step / Shape::threads; ++pass) {
    const int mn = first_mn + pass * next_mn, k = first_k + pass * next_k;
    cp_async<4>(to + k * Shape::row + mn, from, mn < mn_left && k < k_left ? 4 : 0);
    from += step;
  }
}

/// Block (x, y, z): tile of C, item of the batch, part of k.
template <int block>
__global__ void __launch_bounds__(SimtShape<block>::threads, SimtShape<block>::blocks) gemm_simt(SimtArguments g) {
  dependent_launch_begin();
  using Shape = SimtShape<block>;
  float* const shared = shared_memory<float>();
  const int tiles_n = (g.n + block - 1) / block;
  const int tile_row = static_cast<int>(blockIdx.x) / tiles_n, tile_col = static_cast<int>(blockIdx.x) % tiles_n;
  const int row0 = tile_row * block, col0 = tile_col * block;
  const int k0 = static_cast<int>(blockIdx.z) * g.k_part, k_size = g.k - k0 < g.k_part ? g.k - k0 : g.k_part;
  g.a.data += blockIdx.y * g.a.batch_step, g.b.data += blockIdx.y * g.b.batch_step;

  int copied = 0;
  const auto copy_stage = [&](float* stage) {
    if (copied < k_size) {
      copy_operand<block>(stage, g.a, row0, g.m - row0, k0 + copied, k_size - copied);
      copy_operand<block>(stage + Shape::operand_floats, g.b, col0, g.n - col0, k0 + copied, k_size - copied);
    }
    copied += Shape::k_step;
    cp_async_commit();
  };
#pragma unroll
  for (int stage = 0; stage < Shape::stages - 1; ++stage) copy_stage(shared + stage * Shape::stage_floats);

  // Rows 4 y .. 4 y + 3 of both halves of the tile, and columns likewise: reads of 16 bytes side by side.
  const int y = static_cast<int>(threadIdx.x) / Shape::across * 4,
            x = static_cast<int>(threadIdx.x) % Shape::across * 4;
  float sums[8][8] = {};
  int stage = 0;
  for (int done = 0; done < k_size; done += Shape::k_step) {
    cp_async_wait<Shape::stages - 2>();
    block_sync();
    copy_stage(shared + (stage + Shape::stages - 1) % Shape::stages * Shape::stage_floats);
    const float* const a_tile = shared + stage * Shape::stage_floats;
    const float* const b_tile = a_tile + Shape::operand_floats;
    stage = (stage + 1) % Shape::stages;
#pragma unroll 2
    for (int k = 0; k < Shape::k_step; ++k) {
      Quad a[2], b[2];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        a[half] = load_floats<4>(a_tile + k * Shape::row + half * (block / 2) + y);
        b[half] = load_floats<4>(b_tile + k * Shape::row + half * (block / 2) + x);
      }
#pragma unroll
      for (int m = 0; m < 8; ++m)
#pragma unroll
        for (int n = 0; n < 8; ++n) sums[m][n] += a[m / 4].at[m % 4] * b[n / 4].at[n % 4];
    }
  }

  cp_async_wait<0>();
  block_sync();
#pragma unroll
  for (int m = 0; m < 8; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Quad quad{{sums[m][4 * half], sums[m][4 * half + 1], sums[m][4 * half + 2], sums[m][4 * half + 3]}};
      store_floats<4>(shared + (m / 4 * (block / 2) + y + m % 4) * Shape::pitch + half * (block / 2) + x, quad);
    }
  block_sync();
  g.epilogue.skip(blockIdx.y * g.c_batch_step + blockIdx.z * g.c_part_step);
  finish_tile<float, block, block, Shape::pitch, Shape::threads>(g.epilogue, shared, row0, col0, tile_row);
}

}  // namespace videomae::cuda
