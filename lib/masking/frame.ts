// Frame mask: whole temporal slices are masked, int(ratio * t) of them drawn at random; at least one stays and one goes.

import { VideomaeError } from "../errors.js";
import type { RandomStream } from "../random.js";
import { checkRatio, maskedCount, type TokenGrid, tokenCount } from "./token-grid.js";

export interface FrameOptions {
  /** Masked fraction of the temporal slices, in [0, 1). */
  readonly ratio: number;
}

/** A frame mask, N bytes, 1 = masked. */
export function frameMask(grid: TokenGrid, options: FrameOptions, stream: RandomStream): Uint8Array {
  const mask = new Uint8Array(tokenCount(grid));
  const slices = new Uint8Array(grid.t).fill(1, grid.t - maskedSlices(grid, options));
  stream.shuffle(slices);
  const positions = grid.h * grid.w;
  for (let t = 0; t < grid.t; t++) mask.fill(slices[t], t * positions, (t + 1) * positions);
  return mask;
}

/** The number of masked slices; throws when none or all would be masked. */
export function maskedSlices(grid: TokenGrid, { ratio }: FrameOptions): number {
  checkRatio("frame mask", ratio);
  const masked = maskedCount(ratio, grid.t);
  if (masked > 0 && masked < grid.t) return masked;
  throw new VideomaeError({
    op: "frame mask",
    expected: `between 1 and ${grid.t - 1} masked slices of ${grid.t}`,
    got: `int(${ratio} * ${grid.t}) = ${masked}`,
    hint: "change the ratio or use more frames",
  });
}
