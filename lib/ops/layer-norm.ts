// Layer normalisation over the last axis, alone and with a residual addition fused in, both ways. Cost: one pass of
// memory; keeps the mean and 1 / std of each row.
import { defineJointOp, defineOp } from "../autograd/define-op.js";
import { rejectUnknownOptions } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** Options of layerNorm. */
export interface LayerNormOptions {
  /** Added to the variance; 1e-6 by default. */
  readonly eps?: number;
}

const normalise = defineOp("layerNorm", (save, x: Tensor, weight: Tensor, bias: Tensor, eps: number) => {
  const { y, mean, rstd } = nativeOp("layerNorm", { x, weight, bias, eps });
  const saved = save({ x, weight, mean, rstd });
  return [
    y,
    (gradY, [needsX, needsWeight, needsBias]) => {
      const skip = [needsX ? [] : "gradX", needsWeight ? [] : "gradWeight", needsBias ? [] : "gradBias"].flat();
      const { gradX, gradWeight, gradBias } = nativeOp("layerNormBackward", { gradY, ...saved() }, skip);
      return [gradX, gradWeight, gradBias];
    },
  ];
});

const addAndNormalise = defineJointOp(
  "addLayerNorm",
  (save, x: Tensor, residual: Tensor | undefined, weight: Tensor, bias: Tensor, eps: number) => {
    const { y, mean, rstd, sum } = nativeOp("layerNorm", { x, residual, weight, bias, eps });
    const saved = save({ x: residual ? sum : x, weight, mean, rstd });
    return [
      [residual ? sum : x, y] as const,
      ([gradSum, gradY], needs) => {
        const [needsX, needsResidual, needsWeight, needsBias] = residual
          ? needs
          : [needs[0], false, needs[1], needs[2]];
        let gradX = gradSum;
        let gradWeight: Tensor | undefined;
        let gradBias: Tensor | undefined;
        if (gradY !== undefined) {
          const skip = [
            needsX || needsResidual ? [] : "gradX",
            needsWeight ? [] : "gradWeight",
            needsBias ? [] : "gradBias",
          ];
          ({ gradX, gradWeight, gradBias } = nativeOp(
            "layerNormBackward",
            { gradY, gradSum, ...saved() },
            skip.flat(),
          ));
        }
        return residual ? [gradX, gradX, gradWeight, gradBias] : [gradX, gradWeight, gradBias];
      },
    ];
  },
);

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
