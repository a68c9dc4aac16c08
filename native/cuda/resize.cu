// Resizing without antialiasing, a thread a colour of a pixel: four bytes read, one number written. The integers of
// resizeLinear are the CPU's: positions are computed in f64 and rounded after each operation as there.
#include "cuda/elements.cuh"
#include "cuda/walk.cuh"
#include "ops/resize.h"
#include "ops/token_grid.h"

namespace videomae::cuda {
namespace {

/// Frames (T, H, W, 3), a box of each, and the numbers of a result (T, rows, columns, 3).
struct Frames {
  const uint8_t* x;
  int64_t width, height;           // of a frame
  Divisor colours, columns, rows;  // 3 and the sides of the result

  static Frames of(const In& x, int64_t columns, int64_t rows) {
    return {x.data<uint8_t>(), x.shape()[2], x.shape()[1], Divisor(3), Divisor(columns), Divisor(rows)};
  }
  __device__ __forceinline__ int32_t at(int64_t frame, int64_t row, int64_t column, int64_t colour) const {
    return x[((frame * height + row) * width + column) * 3 + colour];
  }
};

/// Which number of a result a thread makes.
struct Place {
  int64_t frame, row, column, colour;

  __device__ __forceinline__ Place(const Frames& frames, int64_t number) : colour(number) {
    column = frames.colours.split(colour);
    row = frames.columns.split(column);
    frame = frames.rows.split(row);
  }
};

/// One output position of OpenCV's linear resize: two neighbours and their weights in 11-bit fixed point.
struct FixedTap {
  int64_t first, second;
  int32_t weight_first, weight_second;

  __device__ __forceinline__ FixedTap(int64_t in, int64_t out, int64_t position) {
    const double scale = static_cast<double>(in) / out;
    const float exact = static_cast<float>(__dadd_rn(__dmul_rn(position + 0.5, scale), -0.5));
    const float whole = floorf(exact);
    first = static_cast<int64_t>(whole);
    float fraction = exact - whole;
    if (first < 0) first = 0, fraction = 0;
    if (first >= in - 1) first = in - 1, fraction = 0;
    second = min(first + 1, in - 1);
    weight_first = static_cast<int32_t>(rintf((1 - fraction) * 2048));
    weight_second = static_cast<int32_t>(rintf(fraction * 2048));
  }
};

struct Resized {
  int64_t width, height, left, top;  // of the resized frame, and where its crop begins
};

__global__ void resize_linear(Frames frames, Resized to, uint8_t* y, int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number();
  if (number >= count) return;
  const Place p(frames, number);
  const FixedTap across(frames.width, to.width, to.left + p.column), down(frames.height, to.height, to.top + p.row);
  const auto line = [&](int64_t row) {
    const int32_t sum = frames.at(p.frame, row, across.first, p.colour) * across.weight_first +
                        frames.at(p.frame, row, across.second, p.colour) * across.weight_second;
    return sum >> 4;
  };
  const int32_t sum = ((line(down.first) * down.weight_first) >> 16) + ((line(down.second) * down.weight_second) >> 16);
  y[number] = static_cast<uint8_t>((sum + 2) >> 2);
}

/// One output position of bilinear interpolation: two neighbours, and the weight of the second.
struct RealTap {
  int64_t first, second;
  float weight;

  __device__ __forceinline__ RealTap(int64_t in, float scale, int64_t i) {
    const float position = fmaxf(0.0f, __fadd_rn(__fmul_rn(scale, static_cast<float>(i) + 0.5f), -0.5f));
    first = min(static_cast<int64_t>(position), in - 1);
    second = min(first + 1, in - 1);
    weight = position - static_cast<float>(first);
  }
};

struct Box {
  int64_t left, top, width, height;
  float scale_across, scale_down;
  bool flip;
  float mean[3], scale[3];  // taken off and multiplied by
};

/// y (3, T, size, size)
__global__ void interpolate(Frames frames, Box box, float* y, int64_t number_of_frames, int64_t size, int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number();
  if (number >= count) return;
  const Place p(frames, number);
  const RealTap across(box.width, box.scale_across, box.flip ? size - 1 - p.column : p.column),
      down(box.height, box.scale_down, p.row);
  const auto line = [&](int64_t row) {
    const auto pixel = [&](int64_t column) {
      return static_cast<float>(frames.at(p.frame, box.top + row, box.left + column, p.colour)) / 255.0f;
    };
    return (1 - across.weight) * pixel(across.first) + across.weight * pixel(across.second);
  };
  const float value = (1 - down.weight) * line(down.first) + down.weight * line(down.second);
  const float mean = p.colour == 0 ? box.mean[0] : p.colour == 1 ? box.mean[1] : box.mean[2];
  const float scale = p.colour == 0 ? box.scale[0] : p.colour == 1 ? box.scale[1] : box.scale[2];
  y[((p.colour * number_of_frames + p.frame) * size + p.row) * size + p.column] = (value - mean) * scale;
}

}  // namespace

void run(ResizeLinear& op, const Context& context) {
  const int64_t count = op.x.shape()[0] * op.crop_height * op.crop_width * 3;
  launch_threads(context, resize_linear, count, Frames::of(op.x, op.crop_width, op.crop_height),
                 Resized{op.width, op.height, op.left, op.top}, op.y.data<uint8_t>(), count);
}

void run(Interpolate& op, const Context& context) {
  const int64_t frames = op.x.shape()[0], count = frames * op.size * op.size * 3;
  const float size = static_cast<float>(op.size);
  Box box{op.left,
          op.top,
          op.width,
          op.height,
          static_cast<float>(op.width) / size,
          static_cast<float>(op.height) / size,
          op.flip,
          {0, 0, 0},
          {1, 1, 1}};
  for (int c = 0; c < 3 && op.normalize; ++c) {
    box.mean[c] = static_cast<float>(channel_mean[c]);
    box.scale[c] = static_cast<float>(1 / channel_std[c]);
  }
  launch_threads(context, interpolate, count, Frames::of(op.x, op.size, op.size), box, op.y.data<float>(), frames,
                 op.size, count);
}

size_t workspace(const ResizeLinear&) { return 0; }
size_t workspace(const Interpolate&) { return 0; }

}  // namespace videomae::cuda
