// Layer normalisation over the last axis, alone and with a residual addition fused in, both ways. Cost: one pass of
// memory; keeps x with the mean and 1 / std of each row. Who needs the norm in the backward pass gets it made again.
import { defineJointOp, defineOp, type Save } from "../autograd/define-op.js";
import { rejectUnknownOptions } from "../errors.js";
import { nativeOp, unneeded } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** Options of layerNorm. */
export interface LayerNormOptions {
  /** Added to the variance; 1e-6 by default. */
  readonly eps?: number;
}

const normalise = defineOp("layerNorm", (save, x: Tensor, weight: Tensor, bias: Tensor, eps: number) => {
  const { y, mean, rstd } = nativeOp("layerNorm", { x, weight, bias, eps });
  const { gradients, remake } = backwardOf(save, { x, weight, bias, mean, rstd }, eps);
  return [y, (gradY, needs, into) => gradients(gradY, undefined, needs, [into(1), into(2)]), remake];
});

const addAndNormalise = defineJointOp(
  "addLayerNorm",
  (save, x: Tensor, residual: Tensor | undefined, weight: Tensor, bias: Tensor, eps: number) => {
    const made = nativeOp("layerNorm", { x, residual, weight, bias, eps });
    const sum = residual ? made.sum : x;
    const { gradients, remake } = backwardOf(save, { x: sum, weight, bias, mean: made.mean, rstd: made.rstd }, eps);
    return [
      [sum, made.y] as const,
      ([gradSum, gradY], [needsX, needsResidual, ...needs], into) => {
        if (gradY === undefined) return [gradSum, gradSum];
        const wanted = [needsX || needsResidual, ...needs];
        const [gradX, ...rest] = gradients(gradY, gradSum, wanted, [into(2), into(3)]);
        return [gradX, gradX, ...rest];
      },
      [undefined, remake],
    ];
  },
);

/** What both have in common: x is what was normalised. The norm is made again rather than kept until it is needed. */
function backwardOf(
  save: Save,
  { x, weight, bias, mean, rstd }: Record<"x" | "weight" | "bias" | "mean" | "rstd", Tensor>,
  eps: number,
) {
  const [saved, savedStatistics, savedBias] = [save({ x, weight }), save({ mean, rstd }), save({ bias })];
  return {
    /** Of x, weight and bias; the last two are added to tensors where these are given. */
    gradients(
      gradY: Tensor,
      gradSum: Tensor | undefined,
      [needsX, needsWeight, needsBias]: readonly boolean[],
      [intoWeight, intoBias]: readonly (Tensor | undefined)[],
    ): (Tensor | undefined)[] {
      const { gradX, gradWeight, gradBias } = nativeOp(
        "layerNormBackward",
        { gradY, gradSum, ...saved(), ...savedStatistics(), gradWeight: intoWeight, gradBias: intoBias },
        unneeded({ gradX: needsX, gradWeight: needsWeight, gradBias: needsBias }),
      );
      return [gradX, gradWeight, gradBias];
    },
    remake: () => nativeOp("layerNorm", { ...saved(), ...savedBias(), eps }).y,
  };
}

/**
 * `sum` = x + residual and `y` = layerNorm(sum), in one pass of memory. What reaches `sum` by another way than the norm is
 * added to its gradient in the same kernel. Without a residual `sum` is x: a branch around the norm that reads `sum`
 * saves the addition of the two gradients.
 * @param x  (..., D), f32, bf16 or f64
 * @param residual  like x, or undefined
 * @param weight  (D), f32, or f64 for f64
 * @param bias  like weight
 * @throws VideomaeError when residual is not like x, or weight or bias does not match its last axis
 */
export function addLayerNorm(
  x: Tensor,
  residual: Tensor | undefined,
  weight: Tensor,
  bias: Tensor,
  options: LayerNormOptions = {},
): { sum: Tensor; y: Tensor } {
  rejectUnknownOptions("addLayerNorm", options, ["eps"]);
  const [sum, y] = addAndNormalise(x, residual, weight, bias, options.eps ?? 1e-6);
  return { sum, y };
}

/**
 * (x - mean) / sqrt(variance + eps) * weight + bias, with mean and variance over the last axis.
 * @param x  (..., D), f32 or f64
 * @param weight  (D), the same dtype
 * @param bias  (D), the same dtype
 * @throws VideomaeError when weight or bias does not match the last axis of x
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, options: LayerNormOptions = {}): Tensor {
  rejectUnknownOptions("layerNorm", options, ["eps"]);
  return normalise(x, weight, bias, options.eps ?? 1e-6);
}
