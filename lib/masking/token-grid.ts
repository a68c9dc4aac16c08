// The grid of tokens a clip is cut into, and the count of masked ones. Tokens are numbered time-major, then row, then
// column: n = (t * h + y) * w + x (spec 0). A mask is one byte a token, 1 = masked, in that order.

import { VideomaeError } from "../errors.js";

/** Tokens along time, height and width, e.g. `{ t: 8, h: 14, w: 14 }` for 16 frames of 224 x 224 cut into 2 x 16 x 16. */
export interface TokenGrid {
  readonly t: number;
  readonly h: number;
  readonly w: number;
}

/** N = t * h * w. Throws when a side is not a positive integer. */
export function tokenCount(grid: TokenGrid): number {
  for (const side of ["t", "h", "w"] as const) {
    if (Number.isSafeInteger(grid[side]) && grid[side] > 0) continue;
    throw new VideomaeError({
      op: `mask grid.${side}`,
      expected: "a positive integer number of tokens",
      got: String(grid[side]),
      hint: "t = frames / tubelet, h = w = image / patch",
    });
  }
  return grid.t * grid.h * grid.w;
}

/** The number of masked ones among `count`: `ratio * count` in double arithmetic, truncated (spec 2.1). */
export function maskedCount(ratio: number, count: number): number {
  return Math.trunc(ratio * count);
}

/** Throws unless 0 <= ratio < 1. */
export function checkRatio(op: string, ratio: number): void {
  if (typeof ratio === "number" && ratio >= 0 && ratio < 1) return;
  throw new VideomaeError({
    op,
    expected: "a mask ratio in [0, 1)",
    got: String(ratio),
    hint: "a ratio is the masked fraction of the tokens, e.g. 0.9",
  });
}
