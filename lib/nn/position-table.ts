// The positional table (spec 1.6): a one-dimensional sinusoid over the flattened token index, a(n, j) =
// n / 10000^(2 floor(j/2) / D), sine at even j and cosine at odd j, computed in f64. It is no parameter.
//
// Grids other than 8 x 14 x 14 (16 frames at 224, patch 16) get a table generated for that grid by default. Two other
// ways exist: "official" repeats what the published code does with a fine-tuning input (spec section 6): the table of
// the new grid, reinterpreted as 8 slices of a square side, resized; mostly the identity, an error, or a scramble.
// "interpolate" resizes the base grid's table to the new grid: cubic over rows and columns, linear over time.
import { VideomaeError } from "../errors.js";
import type { Device } from "../tensor/dtype.js";
import { unscoped } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import type { RealType } from "./module.js";

/** Tokens along time, height and width. */
export interface Grid {
  readonly t: number;
  readonly h: number;
  readonly w: number;
}

/**
 * Where the positional table of a grid other than the published one comes from: the sinusoid over its own positions
 * (`generate`), the published table for as many tokens (`official`), or that one resized (`interpolate`).
 */
export type PositionMode = "generate" | "official" | "interpolate";

/** The sinusoid over `tokens` positions of `width` values, row-major. */
export function sinusoid(tokens: number, width: number): Float64Array {
  const table = new Float64Array(tokens * width);
  for (let j = 0; j < width; j++) {
    const divisor = 10000 ** ((2 * Math.floor(j / 2)) / width);
    for (let n = 0; n < tokens; n++) table[n * width + j] = j % 2 === 0 ? Math.sin(n / divisor) : Math.cos(n / divisor);
  }
  return table;
}

/** The temporal slices the published code assumes, whatever the clip's length. */
const officialSlices = 8;

/**
 * The table (N, D) of a grid.
 * @param base  the grid whose table "interpolate" starts from
 * @throws VideomaeError where the official interpolation has no result
 */
export function positionValues(grid: Grid, width: number, mode: PositionMode, base: Grid): Float64Array {
  const tokens = grid.t * grid.h * grid.w;
  if (mode === "generate") return sinusoid(tokens, width);
  if (mode === "interpolate") return resize(sinusoid(base.t * base.h * base.w, width), base, grid, width);
  const side = Math.floor(Math.sqrt(tokens / officialSlices));
  if (side * side * officialSlices !== tokens) {
    throw new VideomaeError({
      op: "position table",
      expected: "a token count that is 8 times a square, which the official interpolation needs",
      got: `${tokens} tokens (${grid.t} x ${grid.h} x ${grid.w})`,
      hint: `use "generate" or "interpolate"`,
    });
  }
  return resize(sinusoid(tokens, width), { t: officialSlices, h: side, w: side }, grid, width);
}

/** The table as a tensor (N, D) that the caller owns: f64 for an f64 model, else f32. */
export function positionTable(
  grid: Grid,
  width: number,
  { dtype, mode, base, device }: { dtype: RealType; mode: PositionMode; base: Grid; device: Device },
): Tensor {
  const values = positionValues(grid, width, mode, base);
  const rounded = Float32Array.from(values); // also for an f64 model, as in the published code
  const shape = [grid.t * grid.h * grid.w, width];
  const array = dtype === "f64" ? Float64Array.from(rounded) : rounded;
  return unscoped(() => Tensor.fromArray(array, shape, undefined, device));
}

/** Resizes a table from one grid to another: cubic over height and width, then linear over time. */
function resize(values: Float64Array, from: Grid, to: Grid, width: number): Float64Array {
  const inner = { t: 1, h: from.h, w: from.w };
  let table = alongAxis(values, inner.t * from.t * from.h, from.w, width, to.w, cubicTaps);
  table = alongAxis(table, from.t, from.h, to.w * width, to.h, cubicTaps);
  return alongAxis(table, 1, from.t, to.h * to.w * width, to.t, linearTaps);
}

type Taps = (position: number, count: number) => [index: number, weight: number][];

/** Resamples the middle axis of (outer, from, inner) to `to` points, half-pixel centres. */
function alongAxis(
  values: Float64Array,
  outer: number,
  from: number,
  inner: number,
  to: number,
  taps: Taps,
): Float64Array {
  if (from === to) return values;
  const result = new Float64Array(outer * to * inner);
  for (let d = 0; d < to; d++) {
    for (const [index, weight] of taps((d + 0.5) * (from / to) - 0.5, from)) {
      for (let o = 0; o < outer; o++) {
        const source = (o * from + index) * inner;
        const target = (o * to + d) * inner;
        for (let i = 0; i < inner; i++) result[target + i] += weight * values[source + i];
      }
    }
  }
  return result;
}

/** Four taps with coefficient -0.75, clamped at the borders (spec 15.5). */
const cubicTaps: Taps = (position, count) => {
  const a = -0.75;
  const left = Math.floor(position);
  const near = (x: number) => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x: number) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  const f = position - left;
  const weights = [far(f + 1), near(f), near(1 - f), far(2 - f)];
  return weights.map((weight, i) => [Math.min(count - 1, Math.max(0, left - 1 + i)), weight]);
};

const linearTaps: Taps = (position, count) => {
  const at = Math.max(0, position);
  const left = Math.min(count - 1, Math.floor(at));
  const f = at - Math.floor(at);
  return [
    [left, 1 - f],
    [Math.min(count - 1, left + 1), f],
  ];
};
