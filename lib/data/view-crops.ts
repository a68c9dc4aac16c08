// Which part of a frame a classifier looks at (spec 4.10, 4.11): the shorter side is resized to `side`, then a square is
// cut out of the middle, or squares spread along the longer side.

import { VideomaeError } from "../errors.js";
import type { CropBox } from "../ops/crop-resize.js";

/** Width and height in pixels. */
export interface FrameSize {
  readonly width: number;
  readonly height: number;
}

/** A frame's size when its shorter side is resized to `side`, the other truncated. */
export function shortSideSize({ width, height }: FrameSize, side: number): FrameSize {
  if (width < height) return { width: side, height: Math.trunc((side * height) / width) };
  return { width: Math.trunc((side * width) / height), height: side };
}

/**
 * A square of `size` in the middle.
 * @throws VideomaeError when the frame is smaller
 */
export function centreSquare({ width, height }: FrameSize, size: number): CropBox {
  checkRoom(width, height, size);
  return { x: roundHalfEven((width - size) / 2), y: roundHalfEven((height - size) / 2), width: size, height: size };
}

/**
 * `count` squares as large as the shorter side, spread along the longer one from end to end; a single one is in the
 * middle.
 */
export function spreadSquares({ width, height }: FrameSize, count: number): CropBox[] {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new VideomaeError({ op: "views", expected: "a number of crops from 1 on", got: `${count}` });
  }
  const size = Math.min(width, height);
  const room = Math.max(width, height) - size;
  return Array.from({ length: count }, (_, i) => {
    const start = Math.trunc(count === 1 ? room / 2 : i * (room / (count - 1)));
    const [x, y] = height >= width ? [0, start] : [start, 0];
    return { x, y, width: size, height: size };
  });
}

function checkRoom(width: number, height: number, size: number): void {
  if (Number.isSafeInteger(size) && size >= 1 && size <= width && size <= height) return;
  throw new VideomaeError({
    op: "centre crop",
    expected: `a frame of at least ${size} x ${size} pixels`,
    got: `${width} x ${height}`,
    hint: "resize the shorter side to at least the model's input",
  });
}

/** Halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
