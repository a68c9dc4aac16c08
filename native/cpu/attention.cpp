// Attention on the CPU: the op's operands handed to the fused kernel.
#include "cpu/flash_attention.h"
#include "cpu/kernels.h"
#include "cpu/widened.h"

namespace videomae {

size_t Attention::workspace(DeviceKind) const {
  return qkv.dtype() == DType::f64 ? flash_attention_workspace<double>(batch(), tokens(), heads, head_width())
                                   : flash_attention_workspace<float>(batch(), tokens(), heads, head_width());
}

size_t AttentionBackward::workspace(DeviceKind) const {
  return qkv.dtype() == DType::f64 ? flash_attention_backward_workspace<double>(batch(), tokens(), heads, head_width())
                                   : flash_attention_backward_workspace<float>(batch(), tokens(), heads, head_width());
}

namespace cpu {

void run(Attention& op, const Context& context) {
  if (op.qkv.dtype() == DType::bf16) return run_widened(op, context);
  with_wide(op.qkv.dtype(), [&](auto t) {
    using T = decltype(t);
    FlashAttention<T> args{op.batch(),
                           op.tokens(),
                           op.heads,
                           op.head_width(),
                           op.qkv.data<T>(),
                           op.logit_scale.data<T>(),
                           op.logit_scale.given(),
                           op.y.data<T>(),
                           op.lse.data<T>()};
    flash_attention(args, context.workspace);
  });
}

void run(AttentionBackward& op, const Context& context) {
  if (op.qkv.dtype() == DType::bf16) return run_widened(op, context);
  with_wide(op.qkv.dtype(), [&](auto t) {
    using T = decltype(t);
    FlashAttentionBackward<T> args{op.batch(),
                                   op.tokens(),
                                   op.heads,
                                   op.head_width(),
                                   op.qkv.data<T>(),
                                   op.logit_scale.data<T>(),
                                   op.logit_scale.given(),
                                   op.y.data<T>(),
                                   op.lse.data<T>(),
                                   op.grad_y.data<T>(),
                                   op.grad_qkv.data<T>(),
                                   op.grad_logit_scale.data<T>()};
    flash_attention_backward(args, context.workspace);
  });
}

}  // namespace cpu
}  // namespace videomae
