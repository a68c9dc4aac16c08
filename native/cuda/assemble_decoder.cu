// The decoder's input: one pass that writes every row once. The mask token's gradient is a sum down the columns of each
// clip's last R rows, in stages (cuda/sum_stage.cuh). A row whose index is out of range has no position added.
#include "cuda/checked_index.cuh"
#include "cuda/elements.cuh"
#include "cuda/strided_copy.cuh"
#include "cuda/sum_stage.cuh"
#include "cuda/walk.cuh"
#include "ops/assemble_decoder.h"

namespace videomae::cuda {
namespace {

struct Sequence {
  const float *mask_token, *position;  // (D), (N, D)
  const int32_t *visible, *decoded;    // (B, V), (B, R)
  int64_t visible_count, decoded_count, tokens, width;
};

template <int length, class T>
__global__ void assemble(Sequence s, const T* x, T* y, Divisor rows, Divisor runs, int64_t all, IndexCheck check) {
  dependent_launch_begin();
  const int64_t number = thread_number();
  if (number >= all) return;
  int64_t run = number;
  int64_t row = runs.split(run);
  const int64_t clip = rows.split(row), column = run * length;
  const bool seen = row < s.visible_count;
  const int32_t index =
      seen ? s.visible[clip * s.visible_count + row] : s.decoded[clip * s.decoded_count + row - s.visible_count];
  const int64_t token = check(index, s.tokens);
  Floats<length> values = seen ? load_floats<length>(x + (clip * s.visible_count + row) * s.width + column)
                               : load_floats<length>(s.mask_token + column);
  if (token >= 0) {
    const Floats<length> position = load_floats<length>(s.position + token * s.width + column);
#pragma unroll
    for (int j = 0; j < length; ++j) values.at[j] += position.at[j];
  }
  store_floats<length>(y + number * length, values);
}

/// The mask token's gradient is summed in blocks of so many rows of a clip, and then over blocks.
Sum::Stage rows_of_clips(const AssembleDecoderBackward& op) {
  return {op.grad_y.shape()[0], op.grad_y.shape()[1] - op.visible, op.grad_y.shape()[2], 64};
}

}  // namespace

void run(AssembleDecoder& op, const Context& context) {
  const Sequence s{
      op.mask_token.data<float>(), op.position.data<float>(), op.visible.data<int32_t>(), op.decoded.data<int32_t>(),
      op.visible.shape()[1],       op.decoded.shape()[1],     op.position.shape()[0],     op.x.shape()[2]};
  const int64_t rows = s.visible_count + s.decoded_count;
  if (op.x.shape()[0] * rows * s.width == 0) return;
  with_real(op.name, op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* x = op.x.data<T>();
    T* y = op.y.data<T>();
    const bool wide = s.width % vector_width<T> == 0 && aligned(16, {x, y, s.mask_token, s.position});
    with_width<T>(wide, [&](auto w) {
      constexpr int length = decltype(w)::value;
      const int64_t all = op.x.shape()[0] * rows * s.width / length;
      launch_threads(context, assemble<length, T>, all, s, x, y, Divisor(rows), Divisor(s.width / length), all,
                     IndexCheck::of(op, context));
    });
  });
}

void run(AssembleDecoderBackward& op, const Context& context) {
  const DType dtype = op.grad_y.dtype();
  const int64_t bytes = static_cast<int64_t>(size_of(dtype));
  const Shape& shape = op.grad_y.shape();
  if (op.grad_x.wanted)
    copy_strided(context, op.grad_x.shape, bytes, op.grad_y.data<void>(), contiguous_strides(shape),
                 op.grad_x.data<void>(), contiguous_strides(op.grad_x.shape));
  if (!op.grad_mask_token.wanted) return;
  const Sum::Stage first = rows_of_clips(op);
  const void* hidden = op.grad_y.data<char>() + op.visible * first.inner * bytes;
  SumStage stage = SumStage::contiguous(first, hidden, dtype, context.workspace, DType::f32);
  stage.x_distance = shape[1] * shape[2];
  sum_stage(context, stage);
  const int64_t partials = first.outer * first.blocks();
  sum_stage(context, SumStage::contiguous({1, partials, first.inner, std::max<int64_t>(partials, 1)}, context.workspace,
                                          DType::f32, op.grad_mask_token.data<float>(), DType::f32));
}

size_t workspace(const AssembleDecoder&) { return 0; }
size_t workspace(const AssembleDecoderBackward& op) {
  return static_cast<size_t>(rows_of_clips(op).results()) * sizeof(float);
}

}  // namespace videomae::cuda
