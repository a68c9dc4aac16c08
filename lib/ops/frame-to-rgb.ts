// Pictures as a video codec stores them to RGB, turned as they are to be shown (native/ops/frame_to_rgb.h). Pixels have
// no gradient.
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** How the samples of a stored picture lie, and what they mean. */
export interface StoredLayout {
  /** In pixels, as stored. */
  readonly width: number;
  readonly height: number;
  /** Planes of luma and chroma, luma alone, planes of green, blue and red, or interleaved bytes of RGB. */
  readonly model: "yuv" | "gray" | "gbr" | "rgb";
  /** Bits of a sample, 8 to 16; above 8 a sample is two bytes, little-endian. */
  readonly depth: number;
  /** log2 of the luma samples that a chroma sample stands for, across and down. */
  readonly chromaX: number;
  readonly chromaY: number;
  /** Weights of red and blue in luma. */
  readonly kr: number;
  readonly kb: number;
  /** Whether samples use their whole range, and not 16 to 235 (chroma: 240) of 256. */
  readonly full: boolean;
}

/** How stored pixels map to shown ones: first transposed, if so, then mirrored. */
export interface Orientation {
  /** Columns become rows: width and height change places. */
  readonly transpose: boolean;
  readonly mirrorX: boolean;
  readonly mirrorY: boolean;
}

/**
 * @param frames  u8 (T, bytes of a picture): planes one after another, without padding
 * @returns u8 (T, height, width, 3), or (T, width, height, 3) when transposed
 * @throws VideomaeError when the bytes are not those of such a picture
 */
export function frameToRgb(frames: Tensor, layout: StoredLayout, orientation: Orientation): Tensor {
  return nativeOp("frameToRgb", { x: frames, ...layout, ...orientation }).y;
}
