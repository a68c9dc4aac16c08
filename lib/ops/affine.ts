// Decoded frames under an affine map, exactly as Pillow does it (spec 15.4). Pixels have no gradient.
import { rejectUnknownOptions } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** Where pixel (x, y) of the result is read: (a (x + 1/2) + b (y + 1/2) + c, d (x + 1/2) + e (y + 1/2) + f), pixels. */
export interface AffineMap {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

/** Options of `affine`. */
export interface AffineOptions {
  /** Default bicubic, with the coefficient -1. */
  readonly filter?: "bilinear" | "bicubic";
  /** Value of every channel outside the frame, 0 to 255; default 128. */
  readonly fill?: number;
}

/**
 * Moves the pixels of every frame.
 * @param frames  u8 (T, H, W, 3)
 * @returns u8 (T, H, W, 3)
 * @throws VideomaeError for numbers that are not finite, or a fill that is no byte
 */
export function affine(frames: Tensor, map: AffineMap, options: AffineOptions = {}): Tensor {
  rejectUnknownOptions("affine", options, ["filter", "fill"]);
  return nativeOp("affine", { x: frames, ...map, ...options }).y;
}
