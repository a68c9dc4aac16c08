// Random mask (spec 2.3): int(ratio * N) tokens among all N, each set equally likely. Cost: one shuffle of N bytes.

import type { RandomStream } from "../random.js";
import { checkRatio, maskedCount, type TokenGrid, tokenCount } from "./token-grid.js";

export interface RandomMaskOptions {
  /** Masked fraction of all tokens, in [0, 1). */
  readonly ratio: number;
}

/** A random mask, N bytes, 1 = masked. */
export function randomMask(grid: TokenGrid, { ratio }: RandomMaskOptions, stream: RandomStream): Uint8Array {
  checkRatio("random mask", ratio);
  const tokens = tokenCount(grid);
  const mask = new Uint8Array(tokens).fill(1, tokens - maskedCount(ratio, tokens));
  return stream.shuffle(mask);
}
