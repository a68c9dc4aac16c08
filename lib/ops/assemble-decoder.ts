// The decoder's input sequence, assembled in one pass.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * Visible tokens with their positions, then the mask token with the position of every token to reconstruct (spec 2.5).
 * @param x  (B, V, D) encoded visible tokens
 * @param maskToken  (1, 1, D)
 * @param position  (N, D), no gradient
 * @param visible  i32 (B, V)
 * @param decoded  i32 (B, R)
 * @returns (B, V + R, D)
 */
export const assembleDecoder: (
  x: Tensor,
  maskToken: Tensor,
  position: Tensor,
  visible: Tensor,
  decoded: Tensor,
) => Tensor = defineOp("assembleDecoder", (_save, x, maskToken, position, visible, decoded) => {
  const count = visible.shape[1];
  return [
    nativeOp("assembleDecoder", { x, maskToken, position, visible, decoded }).y,
    (gradY) => {
      const { gradX, gradMaskToken } = nativeOp("assembleDecoderBackward", { gradY, visible: count });
      return [gradX, gradMaskToken, undefined, undefined, undefined];
    },
  ];
});
