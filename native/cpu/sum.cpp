// Sums over axes, pass by pass (see ops/sum.h), and broadcasting. Each pass reads its input once. Sums along
// contiguous memory run in double, so f32 is rounded once a block; the loop stays bound by memory.
#include <cstring>

#include "cpu/elementwise.h"
#include "cpu/kernels.h"
#include "cpu/lane_sum.h"
#include "cpu/storage.h"
#include "cpu/strided.h"

namespace videomae::cpu {
namespace {

constexpr int64_t columns_per_piece = 4096;

template <class From, class To>
void sum_rows(const Sum::Stage& s, const From* x, To* y) {
  const int64_t blocks = s.blocks(), rows = s.outer * blocks;
  const int64_t piece = rows_per_piece(std::min(s.n, s.block));
  parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
    for (int64_t row = p * piece; row < std::min(rows, (p + 1) * piece); ++row) {
      const int64_t from = row % blocks * s.block;
      const From* run = x + row / blocks * s.n + from;
      const auto element = [=](int64_t i) { return double{widen(run[i])}; };
      y[row] = convert<To>(lane_sum<double>(std::min(s.block, s.n - from), element));
    }
  });
}

template <class From, class To>
void sum_columns(const Sum::Stage& s, const From* x, To* y) {
  const int64_t blocks = s.blocks(), pieces = (s.inner + columns_per_piece - 1) / columns_per_piece;
  parallel_for(s.outer * blocks * pieces, [&](int64_t p) {
    const int64_t row = p / pieces, column = p % pieces * columns_per_piece;
    const int64_t width = std::min(columns_per_piece, s.inner - column);
    const int64_t from = row % blocks * s.block, until = std::min(s.n, from + s.block);
    wide_t<From> sums[columns_per_piece] = {};
    for (int64_t r = from; r < until; ++r) {
      const From* line = x + (row / blocks * s.n + r) * s.inner + column;
      for (int64_t i = 0; i < width; ++i) sums[i] += widen(line[i]);
    }
    for (int64_t i = 0; i < width; ++i) y[row * s.inner + column + i] = convert<To>(sums[i]);
  });
}

template <class From, class To>
void pass(const Sum::Stage& stage, const From* x, To* y) {
  if (stage.inner == 1)
    sum_rows(stage, x, y);
  else
    sum_columns(stage, x, y);
}

/// Sums between passes are kept in the wide type.
template <class T>
void sum(const Sum& op, wide_t<T>* workspace) {
  const std::vector<Sum::Stage> stages = op.stages();
  const T* x = op.x.data<T>();
  T* y = op.y.data<T>();
  wide_t<T>* buffers[2] = {workspace, workspace + op.buffer_elements()};
  const size_t count = stages.size();
  if (count == 0) std::copy(x, x + op.x.elements(), y);
  if (count == 1) pass(stages[0], x, y);
  if (count < 2) return;
  pass(stages[0], x, buffers[0]);
  for (size_t i = 1; i + 1 < count; ++i) pass(stages[i], buffers[(i + 1) % 2], buffers[i % 2]);
  pass(stages[count - 1], buffers[count % 2], y);
}

template <class T>
void expand(const Expand& op) {
  const StridedWalk<1> walk(op.y.shape, {broadcast_strides(op.x.shape(), op.y.shape)});
  const T* x = op.x.data<T>();
  T* y = op.y.data<T>();
  for_elements(op.y.shape.elements(), [&](int64_t from, int64_t until) {
    walk(from, until, [&](int64_t first, int64_t length, const std::array<int64_t, 1>& at) {
      const T* run = x + at[0];
      if (walk.step(0) == 0)
        std::fill(y + first, y + first + length, *run);
      else
        std::copy(run, run + length, y + first);
    });
  });
}

}  // namespace

void run(Sum& op, const Context& context) {
  with_real(op.x.dtype(), [&](auto t) { sum<decltype(t)>(op, static_cast<wide_t<decltype(t)>*>(context.workspace)); });
}

void run(Expand& op, const Context&) {
  with_storage(op.x.dtype(), [&](auto t) { expand<decltype(t)>(op); });
}

}  // namespace videomae::cpu
