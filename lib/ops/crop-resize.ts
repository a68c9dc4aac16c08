// Crop and resize of decoded frames, exactly as Pillow's 8-bit BILINEAR (spec 15.1). Pixels have no gradient.
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** A rectangle of a frame, in pixels. */
export interface CropBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Crops the same box out of every frame and resizes it.
 * @param frames  u8 (T, H, W, 3)
 * @param size  in pixels; a number is the side of a square
 * @returns u8 (T, height, width, 3) of that size
 * @throws VideomaeError when the box is not inside the frames
 */
export function cropResize(
  frames: Tensor,
  box: CropBox,
  size: number | { readonly width: number; readonly height: number },
): Tensor {
  const { x: left, y: top, width, height } = box;
  const { width: outWidth, height: outHeight } = typeof size === "number" ? { width: size, height: size } : size;
  return nativeOp("cropResize", { x: frames, left, top, width, height, outWidth, outHeight }).y;
}
