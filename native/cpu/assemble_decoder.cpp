// The decoder's input on the CPU: one pass that writes every row once.
#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace videomae::cpu {

void run(AssembleDecoder& op, const Context&) {
  const int64_t visible = op.visible.shape()[1], decoded = op.decoded.shape()[1], width = op.x.shape()[2];
  const int64_t rows = op.x.shape()[0] * (visible + decoded), piece = rows_per_piece(width);
  with_real(op.x.dtype(), [&](auto t) {
    using T = decltype(t);
    const T *x = op.x.data<T>(), *mask = op.mask_token.data<T>(), *position = op.position.data<T>();
    T* y = op.y.data<T>();
    parallel_for((rows + piece - 1) / piece, [&](int64_t p) {
      for (int64_t r = p * piece; r < std::min(rows, (p + 1) * piece); ++r) {
        const int64_t b = r / (visible + decoded), i = r % (visible + decoded);
        const bool seen = i < visible;
        const T* token = seen ? x + (b * visible + i) * width : mask;
        const int32_t n =
            seen ? op.visible.data<int32_t>()[b * visible + i] : op.decoded.data<int32_t>()[b * decoded + i - visible];
        for (int64_t d = 0; d < width; ++d) y[r * width + d] = token[d] + position[n * width + d];
      }
    });
  });
}

void run(AssembleDecoderBackward& op, const Context& context) {
  const int64_t batch = op.grad_y.shape()[0], rows = op.grad_y.shape()[1], width = op.grad_y.shape()[2];
  with_real(op.grad_y.dtype(), [&](auto t) {
    using T = decltype(t);
    const T* g = op.grad_y.data<T>();
    T *grad_x = op.grad_x.data<T>(), *grad_mask = op.grad_mask_token.data<T>();
    T* partials = static_cast<T*>(context.workspace);  // (B, D)
    parallel_for(batch, [&](int64_t b) {
      const T* clip = g + b * rows * width;
      if (grad_x != nullptr) std::copy_n(clip, op.visible * width, grad_x + b * op.visible * width);
      T* sum = partials + b * width;
      std::fill_n(sum, width, T{0});
      for (int64_t r = op.visible; r < rows; ++r)
        for (int64_t d = 0; d < width; ++d) sum[d] += clip[r * width + d];
    });
    if (grad_mask == nullptr) return;
    std::fill_n(grad_mask, width, T{0});
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t d = 0; d < width; ++d) grad_mask[d] += partials[b * width + d];
  });
}

}  // namespace videomae::cpu
