// Stored pictures to RGB, a thread a pixel; the integers are the CPU's (ops/frame_to_rgb.h).
#include "cuda/elements.cuh"
#include "cuda/walk.cuh"
#include "ops/frame_to_rgb.h"

namespace videomae::cuda {
namespace {

/// A picture as it is stored, and where its pixels are shown.
struct Picture {
  RgbFactors factors;
  int model, chroma_x, chroma_y;
  bool words;                                        // two bytes a sample
  int64_t bytes, plane, chroma_width, chroma_plane;  // bytes of a picture; samples of planes and of a row of chroma
  Divisor by_row, by_frame;                          // width, height
  int64_t origin, step_x, step_y;                    // bytes in the shown picture, from which pixel by pixel
};

Picture picture_of(const FrameToRgb& op) {
  Picture p{RgbFactors(op),
            op.model.value,
            static_cast<int>(op.chroma_x),
            static_cast<int>(op.chroma_y),
            op.depth > 8,
            op.bytes(),
            op.width * op.height,
            op.chroma_width(),
            op.chroma_width() * op.chroma_height(),
            Divisor(op.width),
            Divisor(op.height),
            0,
            3,
            op.y.shape[2] * 3};
  if (op.mirror_x) p.origin += (op.y.shape[2] - 1) * p.step_x, p.step_x = -p.step_x;
  if (op.mirror_y) p.origin += (op.y.shape[1] - 1) * p.step_y, p.step_y = -p.step_y;
  if (op.transpose) std::swap(p.step_x, p.step_y);
  return p;
}

/// Samples of over 8 bit lie little-endian at any address.
struct Samples {
  const uint8_t* bytes;
  bool words;

  __device__ __forceinline__ int32_t of(const RgbFactors& f, int64_t i) const {
    return words ? f.sample(static_cast<uint16_t>(bytes[2 * i] | bytes[2 * i + 1] << 8)) : f.sample(bytes[i]);
  }
};

__global__ void frame_to_rgb(Picture p, const uint8_t* x, uint8_t* y, int64_t count) {
  dependent_launch_begin();
  const int64_t number = thread_number();
  if (number >= count) return;
  int64_t column = number;
  int64_t row = p.by_row.split(column);
  const int64_t frame = p.by_frame.split(row);
  const Samples in{x + frame * p.bytes, p.words};
  uint8_t* out = y + frame * p.plane * 3 + p.origin + row * p.step_y + column * p.step_x;
  const int64_t pixel = number - frame * p.plane;
  const RgbFactors& f = p.factors;
  const auto luma = [&](int64_t i) { return (in.of(f, i) - f.black) * f.luma; };
  if (p.model == FrameToRgb::yuv) {
    const int64_t chroma = p.plane + (row >> p.chroma_y) * p.chroma_width + (column >> p.chroma_x);
    const int32_t u = in.of(f, chroma) - f.middle, v = in.of(f, chroma + p.chroma_plane) - f.middle;
    const int32_t bright = luma(pixel);
    out[0] = f.rounded(bright + (v * f.red_v + f.half));
    out[1] = f.rounded(bright + (u * f.green_u + v * f.green_v + f.half));
    out[2] = f.rounded(bright + (u * f.blue_u + f.half));
  } else if (p.model == FrameToRgb::gray) {
    out[0] = out[1] = out[2] = f.rounded(luma(pixel) + f.half);
  } else if (p.model == FrameToRgb::gbr) {
    out[0] = f.rounded(luma(pixel + 2 * p.plane) + f.half);
    out[1] = f.rounded(luma(pixel) + f.half);
    out[2] = f.rounded(luma(pixel + p.plane) + f.half);
  } else {
    for (int c = 0; c < 3; ++c) out[c] = in.bytes[3 * pixel + c];
  }
}

}  // namespace

void run(FrameToRgb& op, const Context& context) {
  const int64_t count = op.x.shape()[0] * op.width * op.height;
  launch_threads(context, frame_to_rgb, count, picture_of(op), op.x.data<uint8_t>(), op.y.data<uint8_t>(), count);
}

size_t workspace(const FrameToRgb&) { return 0; }

}  // namespace videomae::cuda
