// Fused attention over packed projections; nothing of size N x N is ever stored.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

const apply = defineOp("attention", (save, qkv: Tensor, logitScale: Tensor | undefined, heads: number) => {
  const { y, lse } = nativeOp("attention", { qkv, logitScale, heads });
  const saved = save({ qkv, logitScale, y, lse });
  return [
    y,
    (gradY) => {
      const { gradQkv, gradLogitScale } = nativeOp("attentionBackward", { gradY, heads, ...saved() });
      return [gradQkv, gradLogitScale];
    },
  ];
});

/**
 * `softmax(scale · q kᵀ) v` for every head; scale = K^-0.5 (spec 1.4).
 * @param qkv  (B, N, 3·H·K) f32 or f64, each row q | k | v, each head-major; head width K at most 128
 * @param heads  H
 * @param logitScale  (H): cosine attention. q and k are normalised to length 1, and their cosine is multiplied by it
 * @returns (B, N, H·K)
 */
export function attention(qkv: Tensor, heads: number, logitScale?: Tensor): Tensor {
  return apply(qkv, logitScale, heads);
}
