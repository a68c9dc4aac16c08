// The classification loss, from class scores to a mean loss in one op; only a log-sum-exp for each row is kept.
import { defineOp } from "../autograd/define-op.js";
import { rejectUnknownOptions } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** Options of crossEntropy. */
export interface CrossEntropyOptions {
  /** Weight of the uniform distribution in the target, from 0 (the default) to 1. */
  readonly smoothing?: number;
}

const loss = defineOp("crossEntropy", (save, logits: Tensor, target: Tensor, smoothing: number) => {
  const { loss, logSumExp } = nativeOp("crossEntropy", { logits, target, smoothing });
  const saved = save({ logits, target, logSumExp });
  return [
    loss,
    (gradLoss) => [nativeOp("crossEntropyBackward", { gradLoss, ...saved(), smoothing }).gradLogits, undefined],
  ];
});

/**
 * The mean over rows of -sum_k t_k log(softmax(logits)_k), where t is 1 - smoothing on the row's class plus
 * smoothing / K on every class.
 * @param logits  (B, K), f32 or f64
 * @param target  class numbers, i32 (B), each from 0 to K - 1
 * @returns a scalar, shape []
 * @throws VideomaeError when a class number is out of range, or shapes do not agree
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  rejectUnknownOptions("crossEntropy", options, ["smoothing"]);
  return loss(logits, target, options.smoothing ?? 0);
}
