// The decoder's input on the CPU: one pass that writes every row once.
#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(AssembleDecoder& op, const Context&) {
  const int64_t visible = op.visible.shape()[1], decoded = op.decoded.shape()[1], width = op.x.shape()[2];
  const int64_t rows = op.x.shape()[0] * (visible + decoded), piece = rows_per_piece(width);
  with_real(op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    using W = wide_t<T>;
    const T* x = op.x.data<T>();
    const W *mask = op.mask_token.data<W>(), *position = op.position.data<W>();
    T* y = op.y.data<T>();
    parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
      for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); ++r) {
        const int64_t b = r / (visible + decoded), i = r % (visible + decoded);
        const int64_t token = b * visible + i;
        if (i < visible) {
          const W* at = position + op.visible.data<int32_t>()[token] * width;
          for (int64_t d = 0; d < width; ++d) y[r * width + d] = convert<T>(widen(x[token * width + d]) + at[d]);
        } else {
          const W* at = position + op.decoded.data<int32_t>()[b * decoded + i - visible] * width;
          for (int64_t d = 0; d < width; ++d) y[r * width + d] = convert<T>(mask[d] + at[d]);
        }
      }
    });
  });
}

void run(AssembleDecoderBackward& op, const Context& context) {
  const int64_t batch = op.grad_y.shape()[0], rows = op.grad_y.shape()[1], width = op.grad_y.shape()[2];
  with_real(op.grad_y.dtype(), [&](auto t) {
    using T = decltype(t);
    using W = wide_t<T>;
    const T* g = op.grad_y.data<T>();
    T* grad_x = op.grad_x.data<T>();
    W* grad_mask = op.grad_mask_token.data<W>();
    W* partials = static_cast<W*>(context.workspace);  // (B, D)
    parallel_for(batch, [&](int64_t b) {
      const T* clip = g + b * rows * width;
      if (grad_x != nullptr) std::copy_n(clip, op.visible * width, grad_x + b * op.visible * width);
      W* sum = partials + b * width;
      std::fill_n(sum, width, W{0});
      for (int64_t r = op.visible; r < rows; ++r)
        for (int64_t d = 0; d < width; ++d) sum[d] += widen(clip[r * width + d]);
    });
    if (grad_mask == nullptr) return;
    std::fill_n(grad_mask, width, W{0});
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t d = 0; d < width; ++d) grad_mask[d] += partials[b * width + d];
  });
}

}  // namespace videomae::cpu
