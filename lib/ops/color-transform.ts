// Colour operations on decoded frames, exactly as Pillow does them (spec 15.3). Pixels have no gradient.
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** What `colorTransform` can do. */
export const colorKinds = [
  "autoContrast",
  "equalize",
  "invert",
  "posterize",
  "solarize",
  "solarizeAdd",
  "color",
  "contrast",
  "brightness",
  "sharpness",
] as const;
/** The changes of colour that `colorTransform` knows. */
export type ColorKind = (typeof colorKinds)[number];

/**
 * Changes the colours of every frame. Statistics (autoContrast, equalize, contrast) are each frame's own.
 * @param frames  u8 (T, H, W, 3)
 * @param amount  a factor, 1 changing nothing (color, contrast, brightness, sharpness); the bits that stay (posterize,
 *   0 to 8); the level from which values are inverted (solarize, 0 to 256); what is added to values below 128
 *   (solarizeAdd, 0 to 255); not used by the others
 * @returns u8 (T, H, W, 3)
 * @throws VideomaeError for an amount out of range
 */
export function colorTransform(frames: Tensor, kind: ColorKind, amount = 0): Tensor {
  return nativeOp("colorTransform", { x: frames, kind, amount }).y;
}
