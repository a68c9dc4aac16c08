// Slicing and zero padding along one axis: one copy of a contiguous run for each index of the axes before it.
#include <cstring>

#include "cpu/elementwise.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(Slice& op, const Context&) {
  const Shape& shape = op.x.shape();
  const int axis = static_cast<int>(op.axis);
  const int64_t rows = shape.product(0, axis);
  const int64_t bytes = shape.product(axis + 1, shape.rank()) * static_cast<int64_t>(size_of(op.x.dtype()));
  const int64_t row_from = shape[axis] * bytes, row_to = op.length * bytes;
  const char* x = op.x.data<char>() + op.start * bytes;
  char* y = op.y.data<char>();
  const int64_t piece = rows_per_piece(row_to / 4);
  parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
    for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); ++r)
      std::memcpy(y + r * row_to, x + r * row_from, row_to);
  });
}

void run(Pad& op, const Context&) {
  const Shape& shape = op.x.shape();
  const int axis = static_cast<int>(op.axis);
  const int64_t rows = shape.product(0, axis);
  const int64_t bytes = shape.product(axis + 1, shape.rank()) * static_cast<int64_t>(size_of(op.x.dtype()));
  const int64_t before = op.before * bytes, middle = shape[axis] * bytes, after = op.after * bytes;
  const int64_t row_to = before + middle + after;
  const char* x = op.x.data<char>();
  char* y = op.y.data<char>();
  const int64_t piece = rows_per_piece(row_to / 4);
  parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
    for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); ++r) {
      char* row = y + r * row_to;
      std::memset(row, 0, before);
      std::memcpy(row + before, x + r * middle, middle);
      std::memset(row + before + middle, 0, after);
    }
  });
}

}  // namespace videomae::cpu
