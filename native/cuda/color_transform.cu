// Colour operations: a table of 256 values for each channel of each frame, made by a block each, then a thread a colour
// of a pixel. Statistics are whole numbers, so their order does not matter; a histogram is counted by the thread whose
// value it is, out of shared memory, without atomics. color and sharpness look at more than the value and have no
// table.
#include "cuda/device/shared_memory.cuh"
#include "cuda/elements.cuh"
#include "cuda/walk.cuh"
#include "ops/color_transform.h"

namespace videomae::cuda {
namespace {

using Op = ColorTransform;
constexpr int levels = 256;
constexpr int pixels_at_once = 4096;

__device__ __forceinline__ int luminance(const uint8_t* p) {
  return (19595 * p[0] + 38470 * p[1] + 7471 * p[2] + 32768) >> 16;
}

/// d + f (x - d), each step rounded, then cut to 0..255 and truncated.
__device__ __forceinline__ uint8_t blend(int d, int x, float f) {
  const float t = __fadd_rn(static_cast<float>(d), __fmul_rn(f, static_cast<float>(x - d)));
  return t <= 0 ? 0 : t >= 255 ? 255 : static_cast<uint8_t>(t);
}

/// How many pixels of a channel have this thread's value, and with `gray` how bright they are in all: the block's
/// pixels come in pieces through shared memory.
struct Statistics {
  int64_t count, brightness;
};

__device__ Statistics look(const uint8_t* frame, int channel, int64_t pixels, bool gray, uint8_t* piece) {
  Statistics found{0, 0};
  for (int64_t from = 0; from < pixels; from += pixels_at_once) {
    const int here = static_cast<int>(min(static_cast<int64_t>(pixels_at_once), pixels - from));
    for (int i = threadIdx.x; i < here; i += levels) {
      const uint8_t* p = frame + (from + i) * 3;
      piece[i] = p[channel];
      if (gray) found.brightness += luminance(p);
    }
    block_sync();
    if (!gray)
      for (int i = 0; i < here; ++i) found.count += piece[i] == threadIdx.x;
    block_sync();
  }
  return found;
}

/// What a value becomes without a look at the frame.
__device__ __forceinline__ int fixed_value(int kind, int value, float amount) {
  const int whole = static_cast<int>(amount);
  switch (kind) {
    case Op::invert:
      return 255 - value;
    case Op::posterize:
      return value & ~((1 << (8 - whole)) - 1);
    case Op::solarize:
      return value < whole ? value : 255 - value;
    case Op::solarize_add:
      return value < 128 ? min(255, value + whole) : value;
    default:  // brightness
      return blend(0, value, amount);
  }
}

/// From the histogram in shared memory: the value of one level.
__device__ int stretched(const int64_t* histogram, int value) {
  int low = 0, high = levels - 1;
  while (low < levels && histogram[low] == 0) ++low;
  while (high >= 0 && histogram[high] == 0) --high;
  if (high <= low) return value;
  const double scale = 255.0 / (high - low);
  const double result = trunc(__dadd_rn(__dmul_rn(value, scale), __dmul_rn(-low, scale)));
  return static_cast<int>(fmin(255.0, fmax(0.0, result)));
}

__device__ int equalized(const int64_t* histogram, int value) {
  int64_t sum = 0, last = 0, below = 0;
  int used = 0;
  for (int i = 0; i < levels; ++i) {
    if (i < value) below += histogram[i];
    if (histogram[i] == 0) continue;
    sum += histogram[i], last = histogram[i], ++used;
  }
  const int64_t step = (sum - last) / 255;
  if (used <= 1 || step == 0) return value;
  return static_cast<int>(min(int64_t{255}, (step / 2 + below) / step));
}

/// tables (T, 3, 256), a block each; x (T, H, W, 3)
__global__ void fill_tables(const uint8_t* x, uint8_t* tables, int kind, float amount, int64_t pixels) {
  dependent_launch_begin();
  int64_t* const numbers = shared_memory<int64_t>();  // (256)
  uint8_t* const piece = shared_memory<uint8_t>(levels * sizeof(int64_t));
  const int value = static_cast<int>(threadIdx.x), channel = static_cast<int>(blockIdx.x % 3);
  const uint8_t* frame = x + blockIdx.x / 3 * pixels * 3;
  int result;
  if (kind == Op::auto_contrast || kind == Op::equalize || kind == Op::contrast) {
    const Statistics found = look(frame, channel, pixels, kind == Op::contrast, piece);
    numbers[value] = kind == Op::contrast ? found.brightness : found.count;
    block_sync();
    if (kind == Op::contrast) {
      int64_t sum = 0;
      for (int i = 0; i < levels; ++i) sum += numbers[i];
      const double mean = __dadd_rn(static_cast<double>(sum) / static_cast<double>(pixels), 0.5);
      result = blend(static_cast<int>(mean), value, amount);
    } else {
      result = kind == Op::equalize ? equalized(numbers, value) : stretched(numbers, value);
    }
  } else {
    result = fixed_value(kind, value, amount);
  }
  tables[blockIdx.x * levels + value] = static_cast<uint8_t>(result);
}

/// x and y (T, H, W, 3)
__global__ void through_tables(const uint8_t* x, uint8_t* y, const uint8_t* tables, Divisor frame_bytes,
                               int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number();
  if (number >= count) return;
  const int64_t frame = frame_bytes(number);
  y[number] = tables[(frame * 3 + number % 3) * levels + x[number]];
}

__global__ void change_color(const uint8_t* x, uint8_t* y, float amount, int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number();
  if (number >= count) return;
  y[number] = blend(luminance(x + number - number % 3), x[number], amount);
}

/// Away from, or towards, the frame smoothed by ones around a five; the border is as smooth as it was.
__global__ void change_sharpness(const uint8_t* x, uint8_t* y, float amount, int64_t width, int64_t height,
                                 Divisor row_bytes, Divisor rows, int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number();
  if (number >= count) return;
  const int64_t line = row_bytes(number), column = number % (3 * width) / 3;
  const int64_t row = line - rows(line) * height, next = 3 * width;
  const uint8_t* p = x + number;
  int smooth = *p;
  if (row > 0 && row < height - 1 && column > 0 && column < width - 1) {
    int sum = 4 * p[0];
#pragma unroll
    for (int dy = -1; dy <= 1; ++dy)
#pragma unroll
      for (int dx = -1; dx <= 1; ++dx) sum += p[dy * next + 3 * dx];
    smooth = (2 * sum + 13) / 26;  // to nearest: a sum over 13 is never halfway
  }
  y[number] = blend(smooth, *p, amount);
}

}  // namespace

void run(ColorTransform& op, const Context& context) {
  const int64_t width = op.width(), height = op.height(), count = op.x.elements();
  if (count == 0) return;
  const uint8_t* x = op.x.data<uint8_t>();
  uint8_t* y = op.y.data<uint8_t>();
  const float amount = static_cast<float>(op.amount);
  if (op.kind.value == Op::color) {
    launch_threads(context, change_color, count, x, y, amount, count);
  } else if (op.kind.value == Op::sharpness) {
    launch_threads(context, change_sharpness, count, x, y, amount, width, height, Divisor(3 * width), Divisor(height),
                   count);
  } else {
    uint8_t* tables = static_cast<uint8_t*>(context.workspace);
    const Launch launch_tables{dim3(static_cast<unsigned>(op.frames() * 3)), dim3(levels),
                               levels * sizeof(int64_t) + pixels_at_once};
    launch(context, fill_tables, launch_tables, x, tables, op.kind.value, amount, width * height);
    launch_threads(context, through_tables, count, x, y, tables, Divisor(3 * width * height), count);
  }
}

size_t workspace(const ColorTransform& op) { return static_cast<size_t>(op.frames() * 3 * levels); }

}  // namespace videomae::cuda
