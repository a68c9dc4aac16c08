// Softmax over the last axis. Each row is shifted by its maximum, so no exponential overflows.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** exp(x) / sum(exp(x)) along the last axis of x (..., D), f32 or f64. A row with a NaN or +Infinity becomes NaN. */
export const softmax: (x: Tensor) => Tensor = defineOp("softmax", (save, x) => {
  const { y } = nativeOp("softmax", { x });
  const saved = save({ y });
  return [y, (gradY) => [nativeOp("softmaxBackward", { gradY, ...saved() }).gradX]];
});

/** The logarithm of softmax(x), without its rounding: x - log(sum(exp(x))) along the last axis of x (..., D). */
export const logSoftmax: (x: Tensor) => Tensor = defineOp("logSoftmax", (save, x) => {
  const { y } = nativeOp("logSoftmax", { x });
  const saved = save({ y });
  return [y, (gradY) => [nativeOp("logSoftmaxBackward", { gradY, ...saved() }).gradX]];
});
