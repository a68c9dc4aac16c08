// Sums over axes, stage by stage (ops/sum.h), and broadcasting. Each stage reads its input once; what lies between two
// stages is f32. Contiguous runs are summed by a warp each, columns by blocks of 32 runs of columns and 8 or 32 rows,
// whose sums are added in order.
#include "cuda/device/shared_memory.cuh"
#include "cuda/elements.cuh"
#include "cuda/reduce.cuh"
#include "cuda/strided_copy.cuh"
#include "cuda/sum_stage.cuh"
#include "cuda/walk.cuh"
#include "ops/sum.h"

namespace videomae::cuda {
namespace {

/// Leaves a finished sum in y, or adds it to what y holds.
template <class To>
__device__ __forceinline__ void settle(To& y, float sum, bool accumulate) {
  y = from_float<To>(accumulate ? cuda::to_float(y) + sum : sum);
}

/// A warp a result: y[row] of rows = outer * blocks.
template <int width, class From, class To>
__global__ void sum_runs(const From* x, To* y, int64_t n, int64_t block, Divisor blocks, int64_t x_distance,
                         int64_t y_distance, int64_t rows, bool accumulate) {
  dependent_launch_begin();
  const int64_t row = thread_number() / 32;
  if (row >= rows) return;
  int64_t piece = row;
  const int64_t outer = blocks.split(piece), from = piece * block;
  const From* run = x + outer * x_distance + from;
  const int64_t length = min(block, n - from);
  Floats<width> sums{};
  for (int64_t i = threadIdx.x % 32 * width; i < length; i += 32 * width) {
    const Floats<width> values = load_floats<width>(run + i, length - i);
#pragma unroll
    for (int j = 0; j < width; ++j) sums.at[j] += values.at[j];
  }
  float sum = sums.at[0];
#pragma unroll
  for (int j = 1; j < width; ++j) sum += sums.at[j];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) settle(y[outer * y_distance + piece], sum, accumulate);
}

/// A block 32 runs of columns; thread (lane, run) takes every `lanes`-th row.
template <int width, class From, class To>
__global__ void sum_columns(const From* x, To* y, int64_t n, int64_t inner, int64_t block, Divisor blocks,
                            Divisor tiles, int64_t x_distance, int64_t y_distance, bool accumulate) {
  dependent_launch_begin();
  const int lanes = static_cast<int>(blockDim.x) / 32, lane = static_cast<int>(threadIdx.x) / 32;
  int64_t tile = blockIdx.x;
  int64_t piece = tiles.split(tile);
  const int64_t outer = blocks.split(piece), first = tile * 32 * width;
  const int64_t column = first + threadIdx.x % 32 * width;
  const int64_t from = piece * block, until = min(n, from + block);
  Floats<width> sums{};
  if (column < inner) {
    const From* at = x + outer * x_distance + column;
#pragma unroll 4
    for (int64_t r = from + lane; r < until; r += lanes) {
      const Floats<width> values = load_floats<width>(at + r * inner);
#pragma unroll
      for (int j = 0; j < width; ++j) sums.at[j] += values.at[j];
    }
  }
  float* shared = shared_memory<float>();  // (lanes, 32 * width)
  store_floats<width>(shared + threadIdx.x * width, sums);
  block_sync();
  for (int c = static_cast<int>(threadIdx.x); c < 32 * width && first + c < inner; c += static_cast<int>(blockDim.x)) {
    float sum = shared[c];
    for (int i = 1; i < lanes; ++i) sum += shared[i * 32 * width + c];
    settle(y[outer * y_distance + piece * inner + first + c], sum, accumulate);
  }
}

template <class From, class To>
void start_stage(const Context& context, const SumStage& stage) {
  const Sum::Stage& s = stage.shape;
  const From* x = static_cast<const From*>(stage.x);
  To* y = static_cast<To*>(stage.y);
  const int64_t rows = s.outer * s.blocks();
  constexpr int64_t most = vector_width<From>;
  const int64_t stride = s.inner == 1 ? s.block : s.inner;  // of what is read in runs
  const bool wide = stride % most == 0 && stage.x_distance % most == 0 && aligned(16, {x});
  with_width<From>(wide, [&](auto w) {
    constexpr int width = decltype(w)::value;
    if (s.inner == 1) {
      launch_threads(context, sum_runs<width, From, To>, rows * 32, x, y, s.n, s.block, Divisor(s.blocks()),
                     stage.x_distance, stage.y_distance, rows, stage.accumulate);
      return;
    }
    const int64_t tiles = ceil_div(s.inner, 32 * width);
    if (rows * tiles == 0) return;
    const unsigned threads = std::min(s.n, s.block) > 64 ? 1024 : 256;
    launch(context, sum_columns<width, From, To>,
           Launch{dim3(static_cast<unsigned>(rows * tiles)), dim3(threads), threads * width * sizeof(float)}, x, y, s.n,
           s.inner, s.block, Divisor(s.blocks()), Divisor(tiles), stage.x_distance, stage.y_distance, stage.accumulate);
  });
}

}  // namespace

void sum_stage(const Context& context, const SumStage& stage) {
  with_real(Sum::name, stage.from, [&](auto from) {
    with_real(Sum::name, stage.to, [&](auto to) { start_stage<decltype(from), decltype(to)>(context, stage); });
  });
}

void run(Sum& op, const Context& context) {
  const DType dtype = op.x.dtype();
  const void* from = op.x.data<void>();
  const std::vector<Sum::Stage> stages = op.stages();
  if (stages.empty())
    copy_strided(context, op.x.shape(), static_cast<int64_t>(size_of(dtype)), from, contiguous_strides(op.x.shape()),
                 op.y.data<void>(), contiguous_strides(op.x.shape()));
  float* buffers[2] = {static_cast<float*>(context.workspace),
                       static_cast<float*>(context.workspace) + op.buffer_elements()};
  for (size_t i = 0; i < stages.size(); ++i) {
    const bool last = i + 1 == stages.size();
    void* to = last ? op.y.data<void>() : buffers[i % 2];
    sum_stage(context,
              SumStage::contiguous(stages[i], from, i == 0 ? dtype : DType::f32, to, last ? dtype : DType::f32));
    from = to;
  }
}

void run(Expand& op, const Context& context) {
  copy_strided(context, op.y.shape, static_cast<int64_t>(size_of(op.x.dtype())), op.x.data<void>(),
               broadcast_strides(op.x.shape(), op.y.shape), op.y.data<void>(), contiguous_strides(op.y.shape));
}

size_t workspace(const Sum& op) {
  return op.stages().size() < 2 ? 0 : static_cast<size_t>(2 * op.buffer_elements()) * sizeof(float);
}
size_t workspace(const Expand&) { return 0; }

}  // namespace videomae::cuda
