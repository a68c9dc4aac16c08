// Crop and resize to the bytes of the CPU (Pillow's 8-bit bilinear): taps first, a thread an output position, in f64
// and rounded after each operation as there; then a pass along rows and one along columns, in integers.
#include "cuda/elements.cuh"
#include "cuda/walk.cuh"
#include "ops/crop_resize.h"

namespace videomae::cuda {
namespace {

constexpr int fraction_bits = 22;
constexpr int32_t half = 1 << (fraction_bits - 1);

/// Output i of an axis is the sum over k < counts[i] of weights[i * taps + k] * input[starts[i] + k].
struct Taps {
  int64_t from, to, taps;
  int32_t *starts, *counts, *weights;

  static int64_t taps_of(int64_t from, int64_t to) {
    return static_cast<int64_t>(std::ceil(std::max(static_cast<double>(from) / to, 1.0))) * 2 + 1;
  }
  static size_t bytes(int64_t from, int64_t to) {
    return static_cast<size_t>(to * (2 + taps_of(from, to))) * sizeof(int32_t);
  }
  static Taps in(void* memory, int64_t from, int64_t to) {
    int32_t* starts = static_cast<int32_t*>(memory);
    return {from, to, taps_of(from, to), starts, starts + to, starts + 2 * to};
  }
};

/// The triangle filter at input j: 1 - |j - centre + 0.5| / reach, not below 0.
__device__ __forceinline__ double triangle(int64_t j, double centre, double reach) {
  const double distance = fabs(__dadd_rn(__dadd_rn(static_cast<double>(j), -centre), 0.5));
  return fmax(0.0, __dadd_rn(1.0, -__dmul_rn(distance, 1 / reach)));
}

__global__ void make_taps(Taps t) {
  dependent_launch_begin();
  const int64_t i = thread_number();
  if (i >= t.to) return;
  const double scale = static_cast<double>(t.from) / t.to, reach = fmax(scale, 1.0);
  const double centre = __dmul_rn(i + 0.5, scale);
  const int64_t first = max(int64_t{0}, static_cast<int64_t>(__dadd_rn(__dadd_rn(centre, -reach), 0.5)));
  const int64_t end = min(t.from, static_cast<int64_t>(__dadd_rn(__dadd_rn(centre, reach), 0.5)));
  double sum = 0;
  for (int64_t j = first; j < end; ++j) sum = __dadd_rn(sum, triangle(j, centre, reach));
  t.starts[i] = static_cast<int32_t>(first);
  t.counts[i] = static_cast<int32_t>(end - first);
  for (int64_t j = first; j < end; ++j)
    t.weights[i * t.taps + j - first] =
        static_cast<int32_t>(__dadd_rn(__dmul_rn(triangle(j, centre, reach) / sum, 1 << fraction_bits), 0.5));
}

__device__ __forceinline__ uint8_t rounded(int32_t sum) {
  return static_cast<uint8_t>(min(max(sum >> fraction_bits, 0), 255));
}

/// One output byte an axis: the sum over its taps of bytes `stride` apart.
__device__ __forceinline__ uint8_t filtered(const Taps& t, int64_t i, const uint8_t* line, int64_t stride) {
  int32_t sum = half;
  const uint8_t* from = line + t.starts[i] * stride;
  for (int32_t k = 0; k < t.counts[i]; ++k) sum += t.weights[i * t.taps + k] * from[k * stride];
  return rounded(sum);
}

struct Box {
  int64_t width, height;                 // of a frame
  int64_t left, top, rows, out_width;    // rows: of the box
  Divisor by_colour, by_column, by_row;  // 3, out width, rows
};

/// rows (T, box height, out width, 3)
__global__ void resize_rows(Box box, Taps across, const uint8_t* x, uint8_t* rows, int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number();
  if (number >= count) return;
  int64_t colour = number;
  int64_t column = box.by_colour.split(colour);
  int64_t row = box.by_column.split(column);
  const int64_t frame = box.by_row.split(row);
  const uint8_t* line = x + ((frame * box.height + box.top + row) * box.width + box.left) * 3 + colour;
  rows[number] = filtered(across, column, line, 3);
}

/// y (T, out height, out width, 3); by_line divides by the bytes of a row, by_height by the out height.
__global__ void resize_columns(Taps down, const uint8_t* rows, uint8_t* y, int64_t stride, Divisor by_line,
                               Divisor by_height, int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number();
  if (number >= count) return;
  int64_t place = number;
  int64_t line = by_line.split(place);
  const int64_t frame = by_height.split(line);
  y[number] = filtered(down, line, rows + frame * down.from * stride + place, stride);
}

/// The scratch memory: the rows after the first pass, then the taps of both axes.
size_t aligned_row_bytes(const CropResize& op) {
  return (static_cast<size_t>(op.x.shape()[0] * op.height * op.out_width * 3) + 15) / 16 * 16;
}

}  // namespace

void run(CropResize& op, const Context& context) {
  const int64_t frames = op.x.shape()[0], stride = op.out_width * 3;
  if (frames == 0) return;
  uint8_t* rows = static_cast<uint8_t*>(context.workspace);
  const Taps across = Taps::in(rows + aligned_row_bytes(op), op.width, op.out_width);
  const Taps down = Taps::in(across.weights + across.to * across.taps, op.height, op.out_height);
  launch_threads(context, make_taps, across.to, across);
  launch_threads(context, make_taps, down.to, down);
  const Box box{op.x.shape()[2], op.x.shape()[1],       op.left,           op.top, op.height, op.out_width,
                Divisor(3),      Divisor(op.out_width), Divisor(op.height)};
  const int64_t first = frames * op.height * stride, second = frames * op.out_height * stride;
  launch_threads(context, resize_rows, first, box, across, op.x.data<uint8_t>(), rows, first);
  launch_threads(context, resize_columns, second, down, rows, op.y.data<uint8_t>(), stride, Divisor(stride),
                 Divisor(op.out_height), second);
}

size_t workspace(const CropResize& op) {
  return aligned_row_bytes(op) + Taps::bytes(op.width, op.out_width) + Taps::bytes(op.height, op.out_height);
}

}  // namespace videomae::cuda
