// The gradient norm: one read of the buffer, a block of threads for each 16,384 elements, then one block for the sum of
// their sums in order. Squares are f64, so that no gradient whose norm f32 can hold overflows on the way.
#include "cuda/device/shared_memory.cuh"
#include "cuda/elements.cuh"
#include "cuda/reduce.cuh"
#include "ops/grad_norm.h"

namespace videomae::cuda {
namespace {

constexpr unsigned threads = 256;

template <int width>
__global__ void sum_squares(const float* x, int64_t count, double* partials) {
  dependent_launch_begin();
  const int64_t from = blockIdx.x * GradNorm::block, until = min(count, from + GradNorm::block);
  double sum = 0;
#pragma unroll 4
  for (int64_t i = from + threadIdx.x * width; i < until; i += threads * width) {
    const Floats<width> values = load_floats<width>(x + i, until - i);
#pragma unroll
    for (int j = 0; j < width; ++j) sum += static_cast<double>(values.at[j]) * values.at[j];
  }
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

__global__ void root_of_sum(const double* partials, int64_t count, float* y) {
  dependent_launch_begin();
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) sum += partials[i];
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) *y = static_cast<float>(sqrt(sum));
}

}  // namespace

void run(GradNorm& op, const Context& context) {
  double* partials = static_cast<double*>(context.workspace);
  constexpr size_t scratch = threads / 32 * sizeof(double);
  check_f32(op.name, op.x.dtype());
  const float* x = op.x.data<float>();
  if (op.blocks() > 0)
    with_width<float>(aligned(16, {x}), [&](auto w) {
      launch(context, sum_squares<decltype(w)::value>,
             Launch{dim3(static_cast<unsigned>(op.blocks())), dim3(threads), scratch}, x, op.x.elements(), partials);
    });
  launch(context, root_of_sum, Launch{dim3(1), dim3(threads), scratch}, partials, op.blocks(), op.y.data<float>());
}

size_t workspace(const GradNorm& op) { return static_cast<size_t>(op.blocks()) * sizeof(double); }

}  // namespace videomae::cuda
