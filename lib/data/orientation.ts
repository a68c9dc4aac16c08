// Display orientation. A container may say by a 3 x 3 matrix (16.16 fixed point) how a picture is to be turned or
// mirrored: pixel (x, y) is shown at (a x + c y, b x + d y). Only quarter turns and mirrors occur in practice; a matrix
// of another angle is taken for the nearest of them.

import type { Orientation } from "../ops/frame-to-rgb.js";

/** The orientation of a display matrix, nine integers row by row; upright without one. */
export function orientationOf(matrix: readonly number[] | undefined): Orientation {
  const [a, b, , c, d] = matrix ?? [1, 0, 0, 0, 1];
  if (Math.abs(a) >= Math.abs(b)) return { transpose: false, mirrorX: a < 0, mirrorY: d < 0 };
  return { transpose: true, mirrorX: c < 0, mirrorY: b < 0 };
}
