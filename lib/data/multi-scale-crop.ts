// The crop of a pre-training clip (spec 4.4): a width and a height out of four scales of the shorter side, at most one
// scale apart (10 pairs), at one of 13 anchors; every frame of the clip is cropped alike. No flip, no colour change.
//
// A scale within 2 pixels of the output size snaps to it. Where that is larger than the frame (a side of 222 or 223
// for 224) the crop is clamped to the frame, so a clip never gets a black border.

import { VideomaeError } from "../errors.js";
import type { CropBox } from "../ops/crop-resize.js";
import type { RandomStream } from "../random.js";

const SCALES = [1, 0.875, 0.75, 0.66];
const SNAP_BELOW = 3;

/** Anchors in quarters of the room left in x and y. */
const ANCHORS = [
  [0, 0],
  [4, 0],
  [0, 4],
  [4, 4],
  [2, 2],
  [0, 2],
  [4, 2],
  [2, 4],
  [2, 0],
  [1, 1],
  [3, 1],
  [1, 3],
  [3, 3],
] as const;

/** Draws the crop of one view of a clip. `size` is the side that the crop is resized to. */
export function multiScaleCrop(width: number, height: number, size: number, stream: RandomStream): CropBox {
  const sizes = cropSizes(width, height, size);
  const crop = sizes[stream.integer(sizes.length)];
  return place(width, height, crop, ANCHORS[stream.integer(ANCHORS.length)]);
}

/** Every crop that `multiScaleCrop` can draw, in the order of its choices (size first, then anchor). */
export function multiScaleCrops(width: number, height: number, size: number): CropBox[] {
  return cropSizes(width, height, size).flatMap((crop) => ANCHORS.map((anchor) => place(width, height, crop, anchor)));
}

/** The largest square in the middle of the frame: for evaluation. */
export function centreCrop(width: number, height: number): CropBox {
  checkFrame(width, height);
  const side = Math.min(width, height);
  return { x: Math.floor((width - side) / 2), y: Math.floor((height - side) / 2), width: side, height: side };
}

function cropSizes(width: number, height: number, size: number): { width: number; height: number }[] {
  checkFrame(width, height);
  const base = Math.min(width, height);
  const sides = SCALES.map((scale) => {
    const side = Math.max(1, Math.trunc(base * scale));
    return Math.abs(side - size) < SNAP_BELOW ? size : side;
  });
  return sides.flatMap((cropHeight, i) =>
    sides
      .filter((_, j) => Math.abs(i - j) <= 1)
      .map((cropWidth) => ({ width: Math.min(cropWidth, width), height: Math.min(cropHeight, height) })),
  );
}

function place(
  width: number,
  height: number,
  crop: { width: number; height: number },
  [ax, ay]: readonly [number, number],
): CropBox {
  return { x: ax * Math.floor((width - crop.width) / 4), y: ay * Math.floor((height - crop.height) / 4), ...crop };
}

function checkFrame(width: number, height: number): void {
  if (width >= 1 && height >= 1) return;
  throw new VideomaeError({ op: "crop", expected: "a frame of at least 1 x 1 pixels", got: `${width} x ${height}` });
}
