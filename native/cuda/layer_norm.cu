// Layer normalisation. Rows of up to 1536 elements, which is every width of the models, are a warp's and stay in its
// registers between the statistics and the result: one read and one write of memory, 16 bytes at a time. Any other row
// (odd widths, unaligned views) is a block's and read again out of cache.
#include "cuda/layer_norm_backward.cuh"
#include "cuda/rows.cuh"
#include "cuda/sum_stage.cuh"
#include "cuda/variants.h"
#include "ops/layer_norm.h"

namespace videomae::cuda {
namespace {

constexpr int most_elements = 48;  // of a lane, for rows in registers

struct Norm {
  const float *weight, *bias;  // (D)
  float eps;
  int64_t rows, width;
  float *mean, *rstd;  // (rows)
};

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

/// Bytes of shared memory of a block of the backward pass: its rows, and then its sums.
template <class T, int runs, template <class, int> class Rows>
size_t backward_shared_bytes(const Gradients<T>& g) {
  return std::max(Rows<T, runs>::shared_bytes(g.width, g.grad_sum != nullptr),
                  static_cast<size_t>(warps_per_block * g.width) * sizeof(float));
}

/// Where the choice is "staged", and where blocks have room for it.
template <class T, int runs>
bool rows_come_through_shared_memory(const Context& context, const Gradients<T>& g) {
  const Work work{"layer_norm_backward", sizeof(T) == 2 ? "bf16" : "f32", {g.rows, g.width}};
  return backward_shared_bytes<T, runs, RowsInShared>(g) <= context.limits.shared_optin &&
         chosen_variant(work, {"registers", "staged"}) == 1;
}

template <class T, int runs, template <class, int> class Rows>
void start_backward(const Context& context, int64_t blocks, const Gradients<T>& g) {
  launch(
      context, layer_norm_backward_warp<T, runs, Rows>,
      Launch{dim3(static_cast<unsigned>(blocks)), dim3(32 * warps_per_block), backward_shared_bytes<T, runs, Rows>(g)},
      g);
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
      if (rows_come_through_shared_memory<T, count>(context, gradients))
        start_backward<T, count, RowsInShared>(context, blocks, gradients);
      else
        start_backward<T, count, RowInRegisters>(context, blocks, gradients);
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
