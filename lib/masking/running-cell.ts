// Running-cell mask (spec 2.2): a 2 x 2 cell whose masked corners move on by one with every temporal slice, so that
// every position is reconstructed in some slices and every slice at some positions. Only four maps exist, one a phase:
//
//   masked(t, y, x) = (2 (y mod 2) + (x mod 2) + phase + t + 1) mod 4 < int(4 ratio)
//
// The four maps mask the same number of tokens when t is a multiple of 4 or h and w are even. On other grids they can
// differ, and clips of one batch must agree: such a grid is rejected here rather than cropped or padded.

import { VideomaeError } from "../errors.js";
import type { RandomStream } from "../random.js";
import { checkRatio, type TokenGrid, tokenCount } from "./token-grid.js";

export interface RunningCellOptions {
  /** Masked fraction, quantised downward to a quarter: [0.25, 0.5) masks 1 of 4, [0.5, 0.75) 2, [0.75, 1) 3. */
  readonly ratio: number;
}

/** A running-cell mask of a phase drawn from `stream`, N bytes, 1 = masked. */
export function runningCellMask(grid: TokenGrid, options: RunningCellOptions, stream: RandomStream): Uint8Array {
  runningCellCount(grid, options);
  return runningCellMap(grid, options, stream.integer(4));
}

/** The map of one phase (0 to 3), N bytes, 1 = masked. */
export function runningCellMap(grid: TokenGrid, options: RunningCellOptions, phase: number): Uint8Array {
  const masked = maskedCorners(options);
  const mask = new Uint8Array(tokenCount(grid));
  let n = 0;
  for (let t = 0; t < grid.t; t++) {
    for (let y = 0; y < grid.h; y++) {
      const row = 2 * (y % 2) + phase + t + 1;
      for (let x = 0; x < grid.w; x++) mask[n++] = (row + (x % 2)) % 4 < masked ? 1 : 0;
    }
  }
  return mask;
}

/** The number of masked tokens, the same in every phase; throws where the phases disagree on this grid. */
export function runningCellCount(grid: TokenGrid, options: RunningCellOptions): number {
  const masked = maskedCorners(options);
  const tokens = tokenCount(grid);
  if (grid.t % 4 === 0 || (grid.h % 2 === 0 && grid.w % 2 === 0)) return (tokens / 4) * masked;
  const counts = [0, 1, 2, 3].map((phase) => runningCellMap(grid, options, phase).reduce((sum, bit) => sum + bit, 0));
  if (counts.every((count) => count === counts[0])) return counts[0];
  throw new VideomaeError({
    op: "running-cell mask",
    expected: "a grid on which its four phases mask equally many tokens, as clips of one batch must",
    got: `${counts.join(", ")} masked tokens on a grid of ${grid.t} x ${grid.h} x ${grid.w}`,
    hint: "use an even number of patches along height and width, a multiple of 4 along time, or another decoder mask",
  });
}

function maskedCorners({ ratio }: RunningCellOptions): number {
  checkRatio("running-cell mask", ratio);
  const corners = Math.trunc(4 * ratio);
  if (corners > 0) return corners;
  throw new VideomaeError({
    op: "running-cell mask",
    expected: "a ratio in [0.25, 1), because one to three corners of a 2 x 2 cell are masked",
    got: String(ratio),
    hint: 'use ratio 0.25, 0.5 or 0.75, or { kind: "none" } to decode every hidden token',
  });
}
