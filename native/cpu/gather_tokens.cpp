// Token gather and scatter-add on the CPU: row copies, bound by memory.
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

void run(ScatterTokens& op, const Context&) {
  const int64_t batch = op.y.shape()[0], count = op.y.shape()[1], width = op.y.shape()[2];
  const int32_t* index = op.index.data<int32_t>();
  with_real(op.y.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* y = op.y.data<T>();
    T* x = op.x.data<T>();
    parallel_for(batch, [&](int64_t b) {  // rows of a clip are added in order
      std::fill_n(x + b * op.tokens * width, op.tokens * width, T{0});
      for (int64_t r = b * count; r < (b + 1) * count; ++r) {
        T* to = x + (b * op.tokens + index[r]) * width;
        for (int64_t i = 0; i < width; ++i) to[i] += y[r * width + i];
      }
    });
  });
}

}  // namespace videomae::cpu
