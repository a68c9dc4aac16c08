// Tube mask (spec 2.1): one random spatial pattern repeated over all temporal slices, so that a masked patch cannot be
// copied from its neighbour in time. int(ratio * h * w) positions are masked. Cost: one shuffle of h * w bytes.

import type { RandomStream } from "../random.js";
import { checkRatio, maskedCount, type TokenGrid, tokenCount } from "./token-grid.js";

export interface TubeOptions {
  /** Masked fraction of the positions of one slice, in [0, 1). */
  readonly ratio: number;
}

/** A tube mask, N bytes, 1 = masked. */
export function tubeMask(grid: TokenGrid, { ratio }: TubeOptions, stream: RandomStream): Uint8Array {
  checkRatio("tube mask", ratio);
  const mask = new Uint8Array(tokenCount(grid));
  const positions = grid.h * grid.w;
  const slice = mask.subarray(0, positions).fill(1, positions - maskedCount(ratio, positions));
  stream.shuffle(slice);
  for (let t = 1; t < grid.t; t++) mask.set(slice, t * positions);
  return mask;
}
