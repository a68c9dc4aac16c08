// Patch embedding of the visible tokens on the CPU: gather into rows, then one GEMM whose epilogue adds the bias and
// the rows of the positional table.
#include "core/thread_pool.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"

namespace videomae {

size_t EmbedVisible::workspace(DeviceKind) const {
  size_t bytes = 0;
  cpu::with_real(weight.dtype(),
                 [&](auto t) { bytes = gemm_workspace<decltype(t)>(rows(), width(), 3 * grid().pixels()); });
  return bytes;
}

namespace cpu {
namespace {

/// Calls body(offset of a row of pixels in the clip, offset in the patch's columns) for the rows of token n of clip b.
template <class F>
void for_pixel_rows(const TokenGrid& g, int64_t b, int64_t n, F body) {
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t dt = 0; dt < g.tubelet; ++dt)
      for (int64_t dy = 0; dy < g.patch; ++dy)
        body(c, g.offset(b, n, c, dt, dy, 0), ((c * g.tubelet + dt) * g.patch + dy) * g.patch);
}

template <class T>
void gather(const EmbedVisible& op, const TokenGrid& g) {
  const int64_t visible = op.visible.shape()[1], columns = 3 * g.pixels();
  const int32_t* index = op.visible.data<int32_t>();
  using W = wide_t<T>;
  parallel_for(op.rows(), [&](int64_t row) {
    T* patch = op.patches.data<T>() + row * columns;
    const int64_t clip = row / visible, step = g.pixel_stride(clip);
    for_pixel_rows(g, clip, index[row], [&](int64_t c, int64_t from, int64_t to) {
      if (g.bytes) {
        const uint8_t* pixels = op.video.data<uint8_t>() + from;
        const W mean = static_cast<W>(channel_mean[c]), std = static_cast<W>(channel_std[c]);
        for (int64_t x = 0; x < g.patch; ++x) patch[to + x] = convert<T>((pixels[step * x] / W{255} - mean) / std);
      } else {
        const W* pixels = op.video.data<W>() + from;
        for (int64_t x = 0; x < g.patch; ++x) patch[to + x] = convert<T>(pixels[step * x]);
      }
    });
  });
}

template <class T>
void forward(const EmbedVisible& op, void* scratch) {
  const TokenGrid g = op.grid();
  const int64_t columns = 3 * g.pixels();
  gather<T>(op, g);
  Gemm<T> product{op.rows(),           op.width(), columns, op.patches.data<T>(), columns,   false,
                  op.weight.data<T>(), columns,    true,    op.y.data<T>(),       op.width()};
  product.bias = op.bias.data<wide_t<T>>();
  product.table = op.position.data<wide_t<T>>();
  product.table_rows = op.visible.data<int32_t>();
  gemm(product, scratch);
}

template <class T, class W = wide_t<T>>
void scatter(const EmbedVisibleVideoGrad& op) {
  const TokenGrid g = op.grid();
  const int64_t visible = op.visible.shape()[1], columns = 3 * g.pixels();
  const T* patches = op.grad_patches.data<T>();
  W* video = op.grad_video.data<W>();
  std::fill(video, video + op.video.elements(), W{0});
  parallel_for(g.batch, [&](int64_t b) {  // a token may be named twice: the rows of a clip are added in order
    const int64_t step = g.pixel_stride(b);
    for (int64_t row = b * visible; row < (b + 1) * visible; ++row)
      for_pixel_rows(g, b, op.visible.data<int32_t>()[row], [&](int64_t, int64_t to, int64_t from) {
        for (int64_t x = 0; x < g.patch; ++x) video[to + step * x] += widen(patches[row * columns + from + x]);
      });
  });
}

}  // namespace

void run(EmbedVisible& op, const Context& context) {
  with_real(op.weight.dtype(), [&](auto t) { forward<decltype(t)>(op, context.workspace); });
}

void run(EmbedVisibleVideoGrad& op, const Context&) {
  with_real(op.grad_patches.dtype(), [&](auto t) { scatter<decltype(t)>(op); });
}

}  // namespace cpu
}  // namespace videomae
