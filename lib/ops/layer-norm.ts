// Layer normalisation over the last axis. Cost: one pass of memory; keeps the mean and 1 / std of each row.
import { defineOp } from "../autograd/define-op.js";
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
