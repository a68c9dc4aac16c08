// Products of matrices, with broadcast batch axes. Cost: 2 M N K operations a batch item.
import { defineOp } from "../autograd/define-op.js";
import { rejectUnknownOptions } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";
import { reshape } from "./reshape.js";
import { sumTo } from "./sum-to.js";

/** Which operands are given transposed. */
export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

const product = defineOp("matmul", (save, a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean) => {
  const saved = save({ a, b });
  return [
    nativeOp("matmul", { a, b, transposeA, transposeB }).y,
    (gradY, needs) => {
      const { a, b } = saved();
      // With A' = op(a) and B' = op(b): dA' = gradY B'^T, dB' = A'^T gradY; a transposed operand's are transposed.
      const times = (left: Tensor, right: Tensor, transposeA: boolean, transposeB: boolean) =>
        nativeOp("matmul", { a: left, b: right, transposeA, transposeB }).y;
      const gradA = transposeA ? () => times(b, gradY, transposeB, true) : () => times(gradY, b, false, !transposeB);
      const gradB = transposeB ? () => times(gradY, a, true, transposeA) : () => times(a, gradY, !transposeA, false);
      return [needs[0] ? sumTo(gradA(), a.shape) : undefined, needs[1] ? sumTo(gradB(), b.shape) : undefined];
    },
  ];
});

/**
 * The matrix product of a (..., M, K) and b (..., K, N): (..., M, N). f32 or f64, both the same. Leading axes are
 * broadcast. With `transposeA` a is (..., K, M), with `transposeB` b is (..., N, K).
 * @throws VideomaeError when an operand has fewer than two axes, or the K of both differ
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  rejectUnknownOptions("matmul", options, ["transposeA", "transposeB"]);
  const { transposeA = false, transposeB = false } = options;
  // One matrix b for a whole batch is one large product, whose gradient needs no sum over the batch.
  if (a.rank > 2 && b.rank === 2 && !transposeA && a.size > 0) {
    const [width, batch] = [a.shape[a.rank - 1], a.shape.slice(0, -1)];
    const y = product(reshape(a, [-1, width]), b, false, transposeB);
    return reshape(y, [...batch, y.shape[1]]);
  }
  return product(a, b, transposeA, transposeB);
}
