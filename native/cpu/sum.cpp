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

template <class T>
void sum_rows(const Sum::Stage& s, const T* x, T* y) {
  const int64_t blocks = s.blocks(), rows = s.outer * blocks;
  const int64_t piece = rows_per_piece(std::min(s.n, s.block));
  parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
    for (int64_t row = p * piece; row < std::min(rows, (p + 1) * piece); ++row) {
      const int64_t from = row % blocks * s.block;
      const T* run = x + row / blocks * s.n + from;
      y[row] =
          static_cast<T>(lane_sum<double>(std::min(s.block, s.n - from), [=](int64_t i) { return double{run[i]}; }));
    }
  });
}

template <class T>
void sum_columns(const Sum::Stage& s, const T* x, T* y) {
  const int64_t blocks = s.blocks(), pieces = (s.inner + columns_per_piece - 1) / columns_per_piece;
  parallel_for(s.outer * blocks * pieces, [&](int64_t p) {
    const int64_t row = p / pieces, column = p % pieces * columns_per_piece;
    const int64_t width = std::min(columns_per_piece, s.inner - column);
    const int64_t from = row % blocks * s.block, until = std::min(s.n, from + s.block);
    T* sums = y + row * s.inner + column;
    std::fill(sums, sums + width, T{0});
    for (int64_t r = from; r < until; ++r) {
      const T* line = x + (row / blocks * s.n + r) * s.inner + column;
      for (int64_t i = 0; i < width; ++i) sums[i] += line[i];
    }
  });
}

template <class T>
void sum(const Sum& op, T* workspace) {
  const std::vector<Sum::Stage> stages = op.stages();
  const T* from = op.x.data<T>();
  T *y = op.y.data<T>(), *buffers[2] = {workspace, workspace + op.buffer_elements()};
  if (stages.empty()) std::copy(from, from + op.x.elements(), y);
  for (size_t i = 0; i < stages.size(); ++i) {
    T* to = i + 1 == stages.size() ? y : buffers[i % 2];
    if (stages[i].inner == 1)
      sum_rows(stages[i], from, to);
    else
      sum_columns(stages[i], from, to);
    from = to;
  }
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
  with_real(op.x.dtype(), [&](auto t) { sum(op, static_cast<decltype(t)*>(context.workspace)); });
}

void run(Expand& op, const Context&) {
  with_storage(op.x.dtype(), [&](auto t) { expand<decltype(t)>(op); });
}

}  // namespace videomae::cpu
