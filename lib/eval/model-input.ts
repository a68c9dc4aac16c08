// How frames become a model's input.
//
// "crop" is the validation pipeline of published models (spec 4.10): the shorter side resized by OpenCV's linear rule, a
// square cut out, pixels normalised. "stretch" is what the published features for temporal detection were made from
// (spec 8): the whole frame stretched to a square by bilinear interpolation, and pixels in [0, 1] that are not
// normalised. "stretch-normalized" is that with normalised pixels, which is what models are trained on.

import { imageNetMean, imageNetStd } from "../models/pixel-statistics.js";
import { div, sub } from "../ops/binary.js";
import { cast } from "../ops/cast.js";
import { permute } from "../ops/permute.js";
import { interpolate } from "../ops/resize.js";
import { scope } from "../tensor/scope.js";
import { keep, Tensor } from "../tensor/tensor.js";

/** How frames become the model's input. */
export type FrameMode = "crop" | "stretch" | "stretch-normalized";

/** What a model's input is like. */
export interface InputSpec {
  /** Side of the input, S. */
  readonly image: number;
  /** What the shorter side is resized to before the crop; at least `image`. */
  readonly shortSide: number;
  /** Of each colour channel, of pixels in [0, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * Cropped frames u8 (T, S, S, 3) as input: the bytes themselves, u8 (1, T, S, S, 3), where the statistics are those of
 * ImageNet, which models apply by themselves; else normalised f32 (1, 3, T, S, S).
 */
export function croppedInput(frames: Tensor, spec: InputSpec): Tensor {
  const [count, side] = frames.shape;
  if (equal(spec.mean, imageNetMean) && equal(spec.std, imageNetStd)) return frames.view([1, count, side, side, 3]);
  return scope(() => {
    const pixels = div(permute(cast(frames, "f32"), [3, 0, 1, 2]), 255);
    return keep(normalise(pixels, spec).view([1, 3, count, side, side]));
  });
}

/** Whole frames u8 (n, H, W, 3) stretched to f32 (3, n, S, S): pixels in [0, 1], or normalised. */
export function stretchedFrames(frames: Tensor, spec: InputSpec, normalized: boolean): Tensor {
  const [, height, width] = frames.shape;
  return scope(() => {
    const pixels = interpolate(frames, { x: 0, y: 0, width, height }, spec.image);
    return keep(normalized ? normalise(pixels, spec) : pixels);
  });
}

/** Pixels in [0, 1], f32 (3, T, S, S), normalised. */
function normalise(pixels: Tensor, { mean, std }: InputSpec): Tensor {
  const perChannel = (values: readonly number[]) => Tensor.fromArray([...values], [3, 1, 1, 1]);
  return div(sub(pixels, perChannel(mean)), perChannel(std));
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.every((value, i) => value === b[i]);
}
