// Layer normalisation. Rows of up to 1536 elements, which is every width of the models, are a warp's and stay in its
// registers between the statistics and the result: one read and one write of memory, 16 bytes at a time. Any other row
// (odd widths, unaligned views) is a block's and read again out of cache.
//
// Backward, with n the normalised row and h = gradY * weight:
//   gradX = rstd * (h - mean(h) - n * mean(h * n)) + gradSum
// A warp goes over every W-th row, W a function of the shape, and adds up its share of the columns of gradY * n and
// gradY in registers; the warps of a block add theirs through shared memory, and a second stage adds the blocks'.
#include "cuda/rows.cuh"
#include "cuda/sum_stage.cuh"
#include "ops/layer_norm.h"

namespace videomae::cuda {
namespace {

constexpr int warps_per_block = 8;
constexpr int most_elements = 48;  // of a lane, for rows in registers

struct Norm {
  const float *weight, *bias;  // (D)
  float eps;
  int64_t rows, width;
  float *mean, *rstd;  // (rows)
};

/// Run p of a lane begins at this column.
template <int length>
__device__ __forceinline__ int64_t column_of(int p) {
  return static_cast<int64_t>(p * 32 + threadIdx.x % 32) * length;
}

template <class T, int runs>
__global__ void __launch_bounds__(32 * warps_per_block)
    layer_norm_forward_warp(Norm norm, const T* x, const T* residual, T* y, T* sum) {
  dependent_launch_begin();
  constexpr int length = vector_width<T>;
  const int64_t row = thread_number() / 32, width = norm.width;
  if (row >= norm.rows) return;
  Floats<length> values[runs];
#pragma unroll
  for (int p = 0; p < runs; ++p) {
    const int64_t column = column_of<length>(p), at = row * width + column;
    values[p] = column < width ? load_floats<length>(x + at) : Floats<length>{};
  }
  if (residual != nullptr) {
#pragma unroll
    for (int p = 0; p < runs; ++p) {
      const int64_t column = column_of<length>(p), at = row * width + column;
      if (column >= width) continue;
      const Floats<length> added = load_floats<length>(residual + at);
#pragma unroll
      for (int j = 0; j < length; ++j) values[p].at[j] += added.at[j];
      const auto rounded = stored<T>(values[p]);
      values[p] = floats_of<length>(rounded);
      if (sum != nullptr) store_floats<length>(sum + at, values[p]);
    }
  }
  float total = 0;
#pragma unroll
  for (int p = 0; p < runs; ++p)
#pragma unroll
    for (int j = 0; j < length; ++j) total += values[p].at[j];
  const float mean = warp_sum(total) / static_cast<float>(width);
  float squares = 0;
#pragma unroll
  for (int p = 0; p < runs; ++p)
    if (column_of<length>(p) < width)
#pragma unroll
      for (int j = 0; j < length; ++j) squares += (values[p].at[j] - mean) * (values[p].at[j] - mean);
  const float rstd = 1 / sqrtf(warp_sum(squares) / static_cast<float>(width) + norm.eps);
#pragma unroll
  for (int p = 0; p < runs; ++p) {
    const int64_t column = column_of<length>(p);
    if (column >= width) continue;
    const Floats<length> weight = load_floats<length>(norm.weight + column);
    const Floats<length> bias = load_floats<length>(norm.bias + column);
#pragma unroll
    for (int j = 0; j < length; ++j) values[p].at[j] = (values[p].at[j] - mean) * rstd * weight.at[j] + bias.at[j];
    store_floats<length>(y + row * width + column, values[p]);
  }
  if (threadIdx.x % 32 == 0) norm.mean[row] = mean, norm.rstd[row] = rstd;
}

template <class T>
__global__ void layer_norm_forward_block(Norm norm, const T* x, const T* residual, T* y, T* sum) {
  dependent_launch_begin();
  const int64_t row = blockIdx.x, width = norm.width, first = row * width;
  const auto value = [&](int64_t i) {
    const float alone = cuda::to_float(x[first + i]);
    return residual == nullptr ? alone : cuda::to_float(from_float<T>(alone + cuda::to_float(residual[first + i])));
  };
  const float mean = row_sum(width, value) / static_cast<float>(width);
  const float squares = row_sum(width, [&](int64_t i) { return (value(i) - mean) * (value(i) - mean); });
  const float rstd = 1 / sqrtf(squares / static_cast<float>(width) + norm.eps);
  for_row(width, [&](int64_t i) {
    const float v = value(i);
    if (sum != nullptr) sum[first + i] = from_float<T>(v);
    y[first + i] = from_float<T>((v - mean) * rstd * norm.weight[i] + norm.bias[i]);
  });
  if (threadIdx.x == 0) norm.mean[row] = mean, norm.rstd[row] = rstd;
}

template <class T>
struct Gradients {
  const T *grad_y, *x, *grad_sum;     // (rows, D)
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

template <class T, int runs>
__global__ void __launch_bounds__(32 * warps_per_block, resident_blocks<T>(runs))
    layer_norm_backward_warp(Gradients<T> op) {
  dependent_launch_begin();
  constexpr int length = vector_width<T>;
  const int64_t width = op.width;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  Floats<length> weight_sums[runs] = {}, bias_sums[runs] = {};
  for (int64_t row = thread_number() / 32; row < op.rows; row += int64_t{gridDim.x} * warps_per_block) {
    StoredRun<length, T> g_run[runs], x_run[runs];
#pragma unroll
    for (int p = 0; p < runs; ++p) {
      const int64_t column = column_of<length>(p), at = row * width + column;
      g_run[p] = column < width ? load_run<length>(op.grad_y + at) : StoredRun<length, T>{};
      x_run[p] = column < width ? load_run<length>(op.x + at) : StoredRun<length, T>{};
    }
    const float mean = op.mean[row], rstd = op.rstd[row];
    float h_sum = 0, hn_sum = 0;
#pragma unroll
    for (int p = 0; p < runs; ++p) {
      const int64_t column = column_of<length>(p);
      if (column >= width) continue;
      const Floats<length> weight = load_floats<length>(op.weight + column);
      const Floats<length> g = floats_of<length>(g_run[p]), v = floats_of<length>(x_run[p]);
#pragma unroll
      for (int j = 0; j < length; ++j) {
        const float n = (v.at[j] - mean) * rstd, h = g.at[j] * weight.at[j];
        h_sum += h;
        hn_sum += h * n;
        weight_sums[p].at[j] += g.at[j] * n;
        bias_sums[p].at[j] += g.at[j];
      }
    }
    if (op.grad_x == nullptr) continue;
    const float h_mean = warp_sum(h_sum) / static_cast<float>(width);
    const float hn_mean = warp_sum(hn_sum) / static_cast<float>(width);
#pragma unroll
    for (int p = 0; p < runs; ++p) {
      const int64_t column = column_of<length>(p), at = row * width + column;
      if (column >= width) continue;
      const Floats<length> weight = load_floats<length>(op.weight + column);
      const Floats<length> v = floats_of<length>(x_run[p]);
      Floats<length> g = floats_of<length>(g_run[p]);
#pragma unroll
      for (int j = 0; j < length; ++j)
        g.at[j] = rstd * (g.at[j] * weight.at[j] - h_mean - (v.at[j] - mean) * rstd * hn_mean);
      if (op.grad_sum != nullptr) {
        const Floats<length> added = load_floats<length>(op.grad_sum + at);
#pragma unroll
        for (int j = 0; j < length; ++j) g.at[j] += added.at[j];
      }
      store_floats<length>(op.grad_x + at, g);
    }
  }
  float* shared = shared_memory<float>();  // (warps, D)
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

/// Runs of a lane that hold a row; 0 when rows cannot be kept in registers.
template <class T>
int64_t runs_of_lane(int64_t width, std::initializer_list<const void*> pointers) {
  const int64_t runs = ceil_div(width, 32 * vector_width<T>);
  const bool kept = width % vector_width<T> == 0 && runs * vector_width<T> <= most_elements && aligned(16, pointers);
  return kept ? runs : 0;
}

/// Calls body with the number of runs as an integral_constant, rounded up to one that is compiled.
template <class T, class F>
void with_runs(int64_t runs, F&& body) {
  if (runs == 1) return body(std::integral_constant<int, 1>{});
  if (runs == 2) return body(std::integral_constant<int, 2>{});
  if (runs == 3) return body(std::integral_constant<int, 3>{});
  if (runs == 4) return body(std::integral_constant<int, 4>{});
  if (runs <= 6) return body(std::integral_constant<int, 6>{});
  body(std::integral_constant<int, most_elements / vector_width<T>>{});
}

template <class T>
void forward(const LayerNorm& op, const Context& context) {
  const T *x = op.x.data<T>(), *residual = op.residual.data<T>();
  T *y = op.y.data<T>(), *sum = op.sum.data<T>();
  const Norm norm{op.weight.data<float>(), op.bias.data<float>(), static_cast<float>(op.eps), op.rows(), op.width(),
                  op.mean.data<float>(),   op.rstd.data<float>()};
  if (norm.rows == 0) return;
  const int64_t runs = runs_of_lane<T>(norm.width, {x, residual, y, sum, norm.weight, norm.bias});
  if (runs == 0) {
    launch_rows(context, layer_norm_forward_block<T>, norm.rows, norm.width, norm, x, residual, y, sum);
    return;
  }
  with_runs<T>(runs, [&](auto r) {
    constexpr int count = decltype(r)::value;
    launch_threads(context, layer_norm_forward_warp<T, count>, norm.rows * 32, norm, x, residual, y, sum);
  });
}

template <class T>
void backward(const LayerNormBackward& op, const Context& context) {
  const int64_t rows = op.rows(), width = op.width();
  float* partials = static_cast<float*>(context.workspace);
  const Gradients<T> gradients{op.grad_y.data<T>(),
                               op.x.data<T>(),
                               op.grad_sum.data<T>(),
                               op.weight.data<float>(),
                               op.mean.data<float>(),
                               op.rstd.data<float>(),
                               op.grad_x.data<T>(),
                               partials,
                               rows,
                               width};
  const int64_t runs =
      runs_of_lane<T>(width, {gradients.grad_y, gradients.x, gradients.grad_sum, gradients.weight, gradients.grad_x});
  int64_t blocks = 0;
  if (rows > 0 && runs == 0) {
    blocks = op.blocks();
    launch_rows(context, layer_norm_backward_block<T>, blocks, width, gradients);
  } else if (rows > 0) {
    with_runs<T>(runs, [&](auto r) {
      constexpr int count = decltype(r)::value;
      blocks = most_blocks(rows, resident_blocks<T>(count));
      launch(context, layer_norm_backward_warp<T, count>,
             Launch{dim3(static_cast<unsigned>(blocks)), dim3(32 * warps_per_block),
                    warps_per_block * width * sizeof(float)},
             gradients);
    });
  }
  const AddedOut &weight = op.grad_weight, &bias = op.grad_bias;
  const auto add_up = [&](int64_t sums, const float* from, const AddedOut& to, int64_t distance) {
    const Sum::Stage stage{sums, blocks, width, std::max<int64_t>(blocks, 1)};
    SumStage last = SumStage::contiguous(stage, from, DType::f32, to.data<float>(), DType::f32);
    last.y_distance = distance, last.accumulate = to.adds;
    sum_stage(context, last);
  };
  if (weight.wanted && bias.wanted && weight.adds == bias.adds)
    return add_up(2, partials, weight, bias.data<float>() - weight.data<float>());
  if (weight.wanted) add_up(1, partials, weight, width);
  if (bias.wanted) add_up(1, partials + blocks * width, bias, width);
}

}  // namespace

void run(LayerNorm& op, const Context& context) {
  with_real(op.name, op.x.dtype(), [&](auto t) { forward<decltype(t)>(op, context); });
}

void run(LayerNormBackward& op, const Context& context) {
  with_real(op.name, op.x.dtype(), [&](auto t) { backward<decltype(t)>(op, context); });
}

size_t workspace(const LayerNorm&) { return 0; }

size_t workspace(const LayerNormBackward& op) {
  const int64_t blocks = std::max(op.blocks(), most_blocks(op.rows(), 3));
  return static_cast<size_t>(2 * blocks * op.width()) * sizeof(float);
}

}  // namespace videomae::cuda
