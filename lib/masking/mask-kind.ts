// The mask kinds by name, with their constant counts. A new kind is one file and one row here.

import { nearest, rejectUnknownOptions, VideomaeError } from "../errors.js";
import type { RandomStream } from "../random.js";
import { frameMask, maskedSlices } from "./frame.js";
import { randomMask } from "./random.js";
import { runningCellCount, runningCellMask } from "./running-cell.js";
import { checkRatio, maskedCount, type TokenGrid, tokenCount } from "./token-grid.js";
import { tubeMask } from "./tube.js";

/** A mask by name and masked fraction. */
export interface MaskSpec {
  readonly kind: MaskKind;
  /** Masked fraction in [0, 1). */
  readonly ratio: number;
}

/**
 * How tokens are chosen: the same places in every frame (`tube`), a pattern that moves from frame to frame
 * (`running-cell`), any tokens (`random`), or whole frames (`frame`).
 */
export type MaskKind = "tube" | "running-cell" | "random" | "frame";

interface MaskRule {
  /** Draws one mask, N bytes, 1 = masked. */
  readonly draw: (grid: TokenGrid, options: { ratio: number }, stream: RandomStream) => Uint8Array;
  /** How many tokens every mask of this kind masks. */
  readonly count: (grid: TokenGrid, options: { ratio: number }) => number;
}

const rules: Record<MaskKind, MaskRule> = {
  tube: { draw: tubeMask, count: (grid, { ratio }) => grid.t * maskedCount(ratio, grid.h * grid.w) },
  "running-cell": { draw: runningCellMask, count: runningCellCount },
  random: { draw: randomMask, count: (grid, { ratio }) => maskedCount(ratio, tokenCount(grid)) },
  frame: { draw: frameMask, count: (grid, options) => maskedSlices(grid, options) * grid.h * grid.w },
};

/** The names of all kinds. */
export const maskKinds = Object.keys(rules) as readonly MaskKind[];

/** Throws unless `spec` has a known kind, a ratio in [0, 1) and nothing else. `also` lists further kinds to name. */
export function checkMaskSpec(op: string, spec: MaskSpec, also: readonly string[] = []): void {
  rejectUnknownOptions(op, spec, ["kind", "ratio"]);
  const known = [...maskKinds, ...also];
  if (!maskKinds.includes(spec.kind)) {
    const near = nearest(String(spec.kind), known);
    throw new VideomaeError({
      op: `${op}.kind`,
      expected: `one of ${known.join(", ")}`,
      got: `"${spec.kind}"`,
      hint: near ? `did you mean "${near}"?` : undefined,
    });
  }
  checkRatio(`${op}.ratio`, spec.ratio);
}

/** Draws one mask of `spec`, N bytes, 1 = masked. */
export function drawMask(grid: TokenGrid, spec: MaskSpec, stream: RandomStream): Uint8Array {
  return rules[spec.kind].draw(grid, spec, stream);
}

/** The number of tokens that every mask of `spec` masks on `grid`. */
export function countMasked(grid: TokenGrid, spec: MaskSpec): number {
  return rules[spec.kind].count(grid, spec);
}

/** In how many slices every spatial position stays unmasked, where that is the same for all positions. */
export function keptPerPosition(grid: TokenGrid, spec: MaskSpec): number | undefined {
  const uniform = spec.kind === "frame" || (spec.kind === "running-cell" && grid.t % 4 === 0);
  return uniform ? (tokenCount(grid) - countMasked(grid, spec)) / (grid.h * grid.w) : undefined;
}

/** How many tokens every slice keeps unmasked, where that is the same for all slices. */
export function keptPerSlice(grid: TokenGrid, spec: MaskSpec): number | undefined {
  const even = grid.h % 2 === 0 && grid.w % 2 === 0;
  const uniform = spec.kind === "tube" || (spec.kind === "running-cell" && even);
  return uniform ? (tokenCount(grid) - countMasked(grid, spec)) / grid.t : undefined;
}
