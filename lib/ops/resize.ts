// Resizing of decoded frames without antialiasing (spec 15.2, 15.5). Pixels have no gradient.
import { rejectUnknownOptions } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";
import type { CropBox } from "./crop-resize.js";

/**
 * Resizes frames exactly as OpenCV's 8-bit linear resize, and cuts a box out of the result; only the box is computed.
 * @param frames  u8 (T, H, W, 3)
 * @param to  what the frames are resized to, pixels
 * @param crop  inside that
 * @returns u8 (T, crop.height, crop.width, 3)
 * @throws VideomaeError when the box is not inside the resized frames
 */
export function resizeLinear(
  frames: Tensor,
  to: { readonly width: number; readonly height: number },
  crop: CropBox,
): Tensor {
  const { x: left, y: top, width: cropWidth, height: cropHeight } = crop;
  const { width, height } = to;
  return nativeOp("resizeLinear", { x: frames, width, height, left, top, cropWidth, cropHeight }).y;
}

/** What `interpolate` does besides. */
export interface InterpolateOptions {
  /** Exchanges left and right. Default false. */
  readonly flip?: boolean;
  /** Normalises by the ImageNet statistics. Default false. */
  readonly normalize?: boolean;
}

/**
 * Stretches a box of every frame to a square by bilinear interpolation with half-pixel centres.
 * @param frames  u8 (T, H, W, 3)
 * @returns f32 (3, T, size, size), pixels divided by 255
 * @throws VideomaeError when the box is not inside the frames
 */
export function interpolate(frames: Tensor, box: CropBox, size: number, options: InterpolateOptions = {}): Tensor {
  rejectUnknownOptions("interpolate", options, ["flip", "normalize"]);
  const { x: left, y: top, width, height } = box;
  return nativeOp("interpolate", { x: frames, left, top, width, height, size, ...options }).y;
}
