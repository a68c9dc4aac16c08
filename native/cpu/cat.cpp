// Concatenation: for each index of the axes before the joined one, a copy of each operand's contiguous run.
#include <cstring>

#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(Cat& op, const Context&) {
  const Shape& shape = op.y.shape;
  const int axis = static_cast<int>(op.axis);
  const int64_t rows = shape.product(0, axis);
  const int64_t bytes = shape.product(axis + 1, shape.rank()) * static_cast<int64_t>(size_of(op.y.dtype));
  const int64_t row_bytes = shape[axis] * bytes, piece = rows_per_piece(row_bytes / 4);
  char* y = op.y.data<char>();
  parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
    for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); ++r) {
      char* to = y + r * row_bytes;
      for (const Tensor& x : op.xs.tensors) {
        const int64_t run = x.shape()[axis] * bytes;
        std::memcpy(to, x.data<char>() + r * run, run);
        to += run;
      }
    }
  });
}

}  // namespace videomae::cpu
