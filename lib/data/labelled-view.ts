// A clip of a labelled video as a classifier sees it (spec 4.6, 4.10): in training RandAugment, a random resized crop, a
// flip and random erasing; in evaluation the middle of the frame.

import { VideomaeError } from "../errors.js";
import { interpolate, resizeLinear } from "../ops/resize.js";
import type { RandomStream } from "../random.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";
import { augmentFrames, drawSteps, type RandAugment } from "./rand-augment.js";
import { eraseRandomly, type RandomErasing } from "./random-erasing.js";
import { type CropRange, checkCropRange, randomResizedCrop } from "./random-resized-crop.js";
import { centreSquare, shortSideSize } from "./view-crops.js";

/** How the clips of labelled videos are made. */
export interface LabelledView {
  /** Which frames: neighbouring ones, `stride` apart, or some of the whole video. */
  readonly sampling: "dense" | "sparse";
  /** What happens to a clip in training; absent: nothing but a crop of the middle, as in evaluation. */
  readonly augment?: ClipAugmentation;
  /** What the shorter side is resized to before the middle is cut out; default: the size of a clip. */
  readonly shortSide?: number;
}

/** What a training clip goes through, in this order; what is left out is not done. */
export interface ClipAugmentation {
  readonly randAugment?: RandAugment;
  readonly crop?: CropRange;
  /** Probability that left and right are exchanged: 0 where classes depend on the direction. */
  readonly flip: number;
  readonly erase?: RandomErasing;
}

/** @throws VideomaeError for probabilities and ranges out of bounds */
export function checkLabelledView({ augment, shortSide }: LabelledView, size: number): void {
  const fail = (expected: string, got: unknown): never => {
    throw new VideomaeError({ op: "labelled clips", expected, got: `${got}` });
  };
  if (shortSide !== undefined && !(Number.isSafeInteger(shortSide) && shortSide >= size))
    fail(`shortSide to be an integer of at least the size, ${size}`, shortSide);
  if (augment === undefined) return;
  for (const [name, value] of Object.entries({ flip: augment.flip, "erase.probability": augment.erase?.probability })) {
    if (value !== undefined && !(value >= 0 && value <= 1)) fail(`${name} from 0 to 1`, value);
  }
  checkCropRange(augment.crop ?? {});
}

/**
 * Augmented frames, normalised by the ImageNet statistics.
 * @param frames  u8 (U, H, W, 3): each frame of the clip once
 * @param places  which of them stands at each of the T places of the clip
 * @param out  f32 (3, T, S, S)
 */
export function augmentedClip(
  frames: Tensor,
  places: readonly number[],
  { randAugment, crop, flip, erase }: ClipAugmentation,
  size: number,
  stream: RandomStream,
  out: Float32Array,
): void {
  const [count, height, width] = frames.shape;
  const steps = randAugment === undefined ? [] : drawSteps(randAugment, stream);
  const box = randomResizedCrop(width, height, stream, crop);
  const flipped = stream.uniform() < flip;
  const once = places.every((place, t) => place === t);
  scope(() => {
    const augmented = augmentFrames(frames, steps);
    const pixels = interpolate(augmented, box, size, { flip: flipped, normalize: true });
    if (once) pixels.readInto(out);
    else spread(pixels.readSync() as Float32Array, count, places, size * size, out);
  });
  if (erase !== undefined) eraseRandomly(out, { frames: places.length, size }, erase, stream);
}

/** Pictures of each frame once, (3, U, S, S), at the places of the clip, (3, T, S, S). */
function spread(
  pixels: Float32Array,
  count: number,
  places: readonly number[],
  picture: number,
  out: Float32Array,
): void {
  for (let channel = 0; channel < 3; channel++) {
    for (const [t, place] of places.entries()) {
      const from = (channel * count + place) * picture;
      out.set(pixels.subarray(from, from + picture), (channel * places.length + t) * picture);
    }
  }
}

/** The middle of every frame, its shorter side resized first: u8 (U, S, S, 3) of frames u8 (U, H, W, 3). */
export function middleOfFrames(frames: Tensor, size: number, shortSide = size): Tensor {
  const [, height, width] = frames.shape;
  return scope(() => {
    const resized = shortSideSize({ width, height }, shortSide);
    return keep(resizeLinear(frames, resized, centreSquare(resized, size)));
  });
}
