// Attention on the CPU: the op's operands handed to the fused kernel.
#include "cpu/flash_attention.h"
#include "cpu/kernels.h"

namespace videomae {

size_t Attention::workspace(DeviceKind) const {
  size_t bytes = 0;
  cpu::with_real(qkv.dtype(), [&](auto t) {
    bytes = flash_attention_workspace<decltype(t)>(batch(), tokens(), heads, head_width());
  });
  return bytes;
}

size_t AttentionBackward::workspace(DeviceKind) const {
  size_t bytes = 0;
  cpu::with_real(qkv.dtype(), [&](auto t) {
    bytes = flash_attention_backward_workspace<decltype(t)>(batch(), tokens(), heads, head_width());
  });
  return bytes;
}

namespace cpu {

void run(Attention& op, const Context& context) {
  with_real(op.qkv.dtype(), [&](auto t) {
    using T = decltype(t);
    FlashAttention<T> args{op.batch(),
                           op.tokens(),
                           op.heads,
                           op.head_width(),
                           op.qkv.data<T>(),
                           op.logit_scale.data<wide_t<T>>(),
                           op.logit_scale.given(),
                           op.y.data<T>(),
                           op.lse.data<wide_t<T>>()};
    flash_attention(args, context.workspace);
  });
}

void run(AttentionBackward& op, const Context& context) {
  with_real(op.qkv.dtype(), [&](auto t) {
    using T = decltype(t);
    FlashAttentionBackward<T> args{op.batch(),
                                   op.tokens(),
                                   op.heads,
                                   op.head_width(),
                                   op.qkv.data<T>(),
                                   op.logit_scale.data<wide_t<T>>(),
                                   op.logit_scale.given(),
                                   op.y.data<T>(),
                                   op.lse.data<wide_t<T>>(),
                                   op.grad_y.data<T>(),
                                   op.grad_qkv.data<T>(),
                                   op.grad_logit_scale.data<wide_t<T>>()};
    flash_attention_backward(args, context.workspace);
  });
}

}  // namespace cpu
}  // namespace videomae
