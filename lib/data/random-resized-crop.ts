// The random box of a frame that becomes the input in training (spec 4.6): an area and an aspect are drawn until the box
// fits, at most ten times; else the middle of the frame, its aspect kept within bounds.

import { VideomaeError } from "../errors.js";
import type { CropBox } from "../ops/crop-resize.js";
import type { RandomStream } from "../random.js";
import { roundHalfEven } from "./view-crops.js";

const ATTEMPTS = 10;

/** What boxes a random resized crop is drawn from. */
export interface CropRange {
  /** Part of the frame's area, least and greatest; default [0.08, 1]. */
  readonly area?: readonly [number, number];
  /** Width over height; default [3/4, 4/3]. */
  readonly aspect?: readonly [number, number];
}

/** @throws VideomaeError when a range is empty, or out of bounds */
export function checkCropRange({ area = [0.08, 1], aspect = [3 / 4, 4 / 3] }: CropRange): Required<CropRange> {
  const fail = (expected: string, got: readonly number[]): never => {
    throw new VideomaeError({ op: "random resized crop", expected, got: `[${got.join(", ")}]` });
  };
  if (!(area[0] > 0 && area[0] <= area[1] && area[1] <= 1)) fail("an area range within (0, 1]", area);
  if (!(aspect[0] > 0 && aspect[0] <= aspect[1] && Number.isFinite(aspect[1]))) fail("an aspect range above 0", aspect);
  return { area, aspect };
}

/** Draws a box inside a frame of this size, pixels. */
export function randomResizedCrop(width: number, height: number, stream: RandomStream, range: CropRange = {}): CropBox {
  const { area, aspect } = checkCropRange(range);
  const [least, greatest] = aspect.map(Math.log);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const target = width * height * between(area[0], area[1], stream);
    const ratio = Math.exp(between(least, greatest, stream));
    const w = roundHalfEven(Math.sqrt(target * ratio));
    const h = roundHalfEven(Math.sqrt(target / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const y = stream.integer(height - h + 1);
    return { x: stream.integer(width - w + 1), y, width: w, height: h };
  }
  const ratio = Math.min(Math.max(width / height, aspect[0]), aspect[1]);
  const w = Math.max(1, Math.min(width, roundHalfEven(height * ratio)));
  const h = Math.max(1, Math.min(height, roundHalfEven(width / ratio)));
  return { x: Math.floor((width - w) / 2), y: Math.floor((height - h) / 2), width: w, height: h };
}

function between(low: number, high: number, stream: RandomStream): number {
  return low + (high - low) * stream.uniform();
}
