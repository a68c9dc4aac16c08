// The pre-training loss: squared error against targets that are built token by token and never stored.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ClipWindow } from "./embed-visible.js";

/** The clips and masks a loss is about. */
export interface PixelLossTargets extends ClipWindow {
  /** u8 (B, T, H, W, 3) or floating, normalised (B, 3, T, H, W); seen through a window where there is one. */
  readonly video: Tensor;
  /** i32 (B, R): the token each row of the prediction is about. */
  readonly decoded: Tensor;
  /** i32 (B, V): what the encoder saw. Its tokens carry no loss. */
  readonly visible: Tensor;
  readonly tubelet: number;
  readonly patch: number;
  /** Targets normalised per token and channel (the default), or raw pixels in [0, 1]. */
  readonly normalize?: boolean;
}

const apply = defineOp("maskedPixelLoss", (save, prediction: Tensor, targets: PixelLossTargets) => {
  const { video, decoded, visible, window, side, tubelet, patch, normalize = true } = targets;
  const attributes = { side, tubelet, patch, normalize };
  const { loss, weight } = nativeOp("maskedPixelLoss", { prediction, video, decoded, visible, window, ...attributes }, [
    "tokenLoss",
  ]);
  const saved = save({ prediction, video, decoded, visible, window, weight });
  return [
    loss,
    (gradLoss) => [nativeOp("maskedPixelLossBackward", { gradLoss, ...saved(), ...attributes }).gradPrediction],
  ];
});

/**
 * Mean squared error over a token's columns, then over the reconstructed tokens the encoder did not see (spec 3).
 * @param prediction  (B, R, tubelet·patch²·3), columns (dt, dy, dx, channel)
 * @returns scalar; NaN when no token carries loss
 */
export function maskedPixelLoss(prediction: Tensor, targets: PixelLossTargets): Tensor {
  return apply(prediction, targets);
}

/**
 * Each token's mean squared error, visible tokens included. No gradient.
 * @returns (B, R)
 */
export function tokenLosses(prediction: Tensor, targets: PixelLossTargets): Tensor {
  const { loss, weight, tokenLoss } = nativeOp("maskedPixelLoss", { prediction, ...targets });
  loss.dispose();
  weight.dispose();
  return tokenLoss;
}

/**
 * The targets themselves, for pictures and checks. No gradient.
 * @param video  as in PixelLossTargets
 * @param decoded  i32 (B, R)
 * @returns (B, R, tubelet·patch²·3), f32, or f64 on request
 */
export function pixelTargets(
  video: Tensor,
  decoded: Tensor,
  options: ClipWindow & { tubelet: number; patch: number; normalize?: boolean; dtype?: "f32" | "f64" },
): Tensor {
  const { dtype = "f32", ...attributes } = options;
  return nativeOp("pixelTargets", { video, decoded, ...attributes, f64: dtype === "f64" }).y;
}
