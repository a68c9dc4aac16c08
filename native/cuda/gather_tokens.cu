// Token gather and scatter-add: copies of rows, 16 bytes at a time where rows allow it. A row that is not gathered,
// because its index is out of range, is zero.
//
// Scatter writes every row of x once. Which rows of y arrive there, in order, is found first: a thread a token looks
// for the first row that names it, a thread a row for the next row that names the same token. Both read indices only,
// and the chains that they leave need no atomics.
#include "cuda/checked_index.cuh"
#include "cuda/elements.cuh"
#include "cuda/walk.cuh"
#include "ops/gather_tokens.h"

namespace videomae::cuda {
namespace {

template <class Unit>
__global__ void gather(const Unit* x, const int32_t* index, Unit* y, int64_t tokens, Divisor count, Divisor units,
                       int64_t row_units, int64_t all, IndexCheck check) {
  dependent_launch_begin();
  const int64_t i = thread_number();
  if (i >= all) return;
  int64_t unit = i;
  const int64_t row = units.split(unit), clip = count(row), token = check(index[row], tokens);
  y[i] = token >= 0 ? x[(clip * tokens + token) * row_units + unit] : Unit{};
}

/// firsts (B, N): the first row that names a token; nexts (B, V): the next row that names the same token; -1 for none.
__global__ void chain_rows(const int32_t* index, int32_t* firsts, int32_t* nexts, int64_t batch, int64_t tokens,
                           int64_t count, Divisor by_clip, IndexCheck check) {
  dependent_launch_begin();
  int64_t task = thread_number();
  if (task >= batch * (tokens + count)) return;
  const int64_t clip = by_clip.split(task);
  const int32_t* of_clip = index + clip * count;
  const bool is_token = task < tokens;
  const int64_t row = task - tokens;
  const int64_t wanted = is_token ? task : check(of_clip[row], tokens);
  int64_t found = is_token ? 0 : row + 1;
  while (found < count && of_clip[found] != wanted) ++found;
  const int32_t result = found < count ? static_cast<int32_t>(found) : -1;
  if (is_token)
    firsts[clip * tokens + task] = result;
  else
    nexts[clip * count + row] = result;
}

template <int width, class T>
__global__ void scatter(const T* y, const int32_t* firsts, const int32_t* nexts, T* x, int64_t count, Divisor tokens,
                        Divisor runs, int64_t row_width, int64_t all) {
  dependent_launch_begin();
  const int64_t i = thread_number();
  if (i >= all) return;
  int64_t run = i;
  const int64_t token = runs.split(run), clip = tokens(token);
  Floats<width> sums{};
  for (int64_t row = firsts[token]; row >= 0; row = nexts[clip * count + row]) {
    const Floats<width> added = load_floats<width>(y + (clip * count + row) * row_width + run * width);
#pragma unroll
    for (int j = 0; j < width; ++j) sums.at[j] += added.at[j];
  }
  store_floats<width>(x + i * width, sums);
}

template <class Unit>
void gather_units(const GatherTokens& op, const Context& context, int64_t row_bytes) {
  const int64_t rows = op.index.elements(), row_units = row_bytes / static_cast<int64_t>(sizeof(Unit));
  if (rows * row_units == 0) return;
  launch_threads(context, gather<Unit>, rows * row_units, op.x.data<Unit>(), op.index.data<int32_t>(),
                 op.y.data<Unit>(), op.x.shape()[1], Divisor(op.index.shape()[1]), Divisor(row_units), row_units,
                 rows * row_units, IndexCheck::of(op, context));
}

}  // namespace

void run(GatherTokens& op, const Context& context) {
  const int64_t row_bytes = op.x.shape()[2] * static_cast<int64_t>(size_of(op.x.dtype()));
  if (row_bytes % 16 == 0 && aligned(16, {op.x.data<void>(), op.y.data<void>()}))
    gather_units<uint4>(op, context, row_bytes);
  else if (row_bytes % 4 == 0 && aligned(4, {op.x.data<void>(), op.y.data<void>()}))
    gather_units<uint32_t>(op, context, row_bytes);
  else
    gather_units<uint16_t>(op, context, row_bytes);
}

void run(ScatterTokens& op, const Context& context) {
  const int64_t batch = op.y.shape()[0], count = op.y.shape()[1], width = op.y.shape()[2];
  if (batch * op.tokens * width == 0) return;
  int32_t* firsts = static_cast<int32_t*>(context.workspace);  // (B, N)
  int32_t* nexts = firsts + batch * op.tokens;                 // (B, V)
  launch_threads(context, chain_rows, batch * (op.tokens + count), op.index.data<int32_t>(), firsts, nexts, batch,
                 op.tokens, count, Divisor(op.tokens + count), IndexCheck::of(op, context));
  with_real(op.name, op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* y = op.y.data<T>();
    T* x = op.x.data<T>();
    with_width<T>(width % vector_width<T> == 0 && aligned(16, {y, x}), [&](auto w) {
      constexpr int length = decltype(w)::value;
      const int64_t all = batch * op.tokens * width / length;
      launch_threads(context, scatter<length, T>, all, y, firsts, nexts, x, count, Divisor(op.tokens),
                     Divisor(width / length), width, all);
    });
  });
}

size_t workspace(const GatherTokens&) { return 0; }

size_t workspace(const ScatterTokens& op) {
  return static_cast<size_t>(op.y.shape()[0] * (op.tokens + op.y.shape()[1])) * sizeof(int32_t);
}

}  // namespace videomae::cuda
