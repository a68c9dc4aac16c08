// Token gather and scatter-add on the CPU: row copies, bound by memory. Rows that name the same token are added in
// order.
#include <vector>

#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(GatherTokens& op, const Context&) {
  const int64_t tokens = op.x.shape()[1], width = op.x.shape()[2], count = op.index.shape()[1];
  const int64_t rows = op.index.elements(), piece = rows_per_piece(width);
  const int32_t* index = op.index.data<int32_t>();
  with_real(op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* x = op.x.data<T>();
    T* y = op.y.data<T>();
    parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
      for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); ++r)
        std::copy_n(x + (r / count * tokens + index[r]) * width, width, y + r * width);
    });
  });
}

namespace {

/// For every token the rows that name it, in order: `first` of each token, and `next` of each row; -1 ends a list.
struct RowLists {
  std::vector<int64_t> first, next;

  RowLists(const int32_t* index, int64_t rows, int64_t tokens) : first(tokens, -1), next(rows) {
    for (int64_t r = rows - 1; r >= 0; --r) {
      next[r] = first[index[r]];
      first[index[r]] = r;
    }
  }
};

}  // namespace

void run(ScatterTokens& op, const Context&) {
  const int64_t batch = op.y.shape()[0], count = op.y.shape()[1], width = op.y.shape()[2];
  with_real(op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    parallel_for(batch, [&](int64_t b) {
      const RowLists rows(op.index.data<int32_t>() + b * count, count, op.tokens);
      const T* y = op.y.data<T>() + b * count * width;
      for (int64_t n = 0; n < op.tokens; ++n) {
        T* to = op.x.data<T>() + (b * op.tokens + n) * width;
        const int64_t first = rows.first[n];
        if (first < 0) {
          std::fill_n(to, width, T{});
        } else if (rows.next[first] < 0) {
          std::copy_n(y + first * width, width, to);
        } else {
          for (int64_t i = 0; i < width; ++i) {
            wide_t<T> sum = 0;
            for (int64_t r = first; r >= 0; r = rows.next[r]) sum += widen(y[r * width + i]);
            to[i] = convert<T>(sum);
          }
        }
      }
    });
  });
}

}  // namespace videomae::cpu
