// Rows of a token sequence by index, and back.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * `y[b, i] = x[b, index[b, i]]`.
 * @param x  (B, N, D)
 * @param index  i32 (B, V), values in [0, N)
 * @returns (B, V, D)
 */
export const gatherTokens: (x: Tensor, index: Tensor) => Tensor = defineOp("gatherTokens", (save, x, index) => {
  const saved = save({ index });
  const tokens = x.shape[1];
  return [
    nativeOp("gatherTokens", { x, index }).y,
    (gradY) => [nativeOp("scatterTokens", { y: gradY, index: saved().index, tokens }).x, undefined],
  ];
});

/**
 * The transpose of gatherTokens: `x[b, index[b, i]] += y[b, i]`, zero elsewhere.
 * @param y  (B, V, D)
 * @param index  i32 (B, V), values in [0, tokens)
 * @returns (B, tokens, D)
 */
export const scatterTokens: (y: Tensor, index: Tensor, tokens: number) => Tensor = defineOp(
  "scatterTokens",
  (save, y, index, tokens) => {
    const saved = save({ index });
    return [
      nativeOp("scatterTokens", { y, index, tokens }).x,
      (gradX) => [nativeOp("gatherTokens", { x: gradX, index: saved().index }).y, undefined],
    ];
  },
);
