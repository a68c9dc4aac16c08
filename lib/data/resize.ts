// Crop and resize of an RGB frame exactly as Pillow's 8-bit BILINEAR (spec 15.1): a triangle filter as wide as the
// scale (antialiased), weights in 22-bit fixed point, rows first, rounded to 8 bit, then columns. Cost: about
// 3 * (box height * size * taps_x + size * size * taps_y) multiply-adds, taps = 2 * max(1, side / size).

import type { CropBox } from "./multi-scale-crop.js";

const FRACTION_BITS = 22;
const HALF = 1 << (FRACTION_BITS - 1);
const KEPT_TABLES = 64;

/** Output i is the sum over k < counts[i] of weights[i * taps + k] * input[starts[i] + k]. */
interface Taps {
  readonly taps: number;
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly weights: Int32Array;
}

const tables = new Map<string, Taps>();
let rows = new Uint8Array(0);

/**
 * Crops `box` out of a frame and resizes it to a square.
 * @param src  u8 (height, width, 3)
 * @param box  must lie inside the frame
 * @param dst  u8 (size, size, 3), overwritten
 */
export function cropResizeBilinear(
  src: Uint8Array,
  width: number,
  height: number,
  box: CropBox,
  size: number,
  dst: Uint8Array,
): void {
  const inside = box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
  if (!inside || box.width < 1 || box.height < 1) {
    throw new RangeError(`cropResize: the box ${JSON.stringify(box)} is not inside a frame of ${width} x ${height}`);
  }
  if (src.length < width * height * 3 || dst.length < size * size * 3) {
    throw new RangeError(`cropResize: ${src.length} and ${dst.length} bytes are too few`);
  }
  const stride = size * 3;
  if (box.height === size) {
    resizeRows(src, width, box, size, dst);
    return;
  }
  if (rows.length < box.height * stride) rows = new Uint8Array(box.height * stride);
  resizeRows(src, width, box, size, rows);
  const { taps, starts, counts, weights } = tapsFor(box.height, size);
  for (let y = 0; y < size; y++) {
    const from = starts[y] * stride;
    const count = counts[y];
    const base = y * taps;
    for (let x = 0; x < stride; x++) {
      let sum = HALF;
      for (let k = 0, at = from + x; k < count; k++, at += stride) sum = (sum + weights[base + k] * rows[at]) | 0;
      dst[y * stride + x] = sum >> FRACTION_BITS;
    }
  }
}

// The weights are not negative and sum to about 1, so a sum is in [0, 256) after the shift but for rounding: at most
// (2^21 + 255 * (2^22 + taps)) >> 22 = 255, which is why nothing is clamped.
function resizeRows(src: Uint8Array, width: number, box: CropBox, size: number, out: Uint8Array): void {
  const { taps, starts, counts, weights } = tapsFor(box.width, size);
  for (let y = 0; y < box.height; y++) {
    const line = ((box.y + y) * width + box.x) * 3;
    let to = y * size * 3;
    if (box.width === size) {
      out.set(src.subarray(line, line + size * 3), to);
      continue;
    }
    for (let x = 0; x < size; x++, to += 3) {
      let at = line + starts[x] * 3;
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let k = x * taps, end = k + counts[x]; k < end; k++, at += 3) {
        const weight = weights[k];
        red = (red + weight * src[at]) | 0;
        green = (green + weight * src[at + 1]) | 0;
        blue = (blue + weight * src[at + 2]) | 0;
      }
      out[to] = red >> FRACTION_BITS;
      out[to + 1] = green >> FRACTION_BITS;
      out[to + 2] = blue >> FRACTION_BITS;
    }
  }
}

function tapsFor(input: number, output: number): Taps {
  const key = `${input}:${output}`;
  let table = tables.get(key);
  if (table === undefined) {
    if (tables.size >= KEPT_TABLES) tables.clear();
    table = makeTaps(input, output);
    tables.set(key, table);
  }
  return table;
}

function makeTaps(input: number, output: number): Taps {
  const scale = input / output;
  const reach = Math.max(scale, 1);
  const taps = 2 * Math.ceil(reach) + 1;
  const starts = new Int32Array(output);
  const counts = new Int32Array(output);
  const weights = new Int32Array(output * taps);
  for (let i = 0; i < output; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(input, Math.trunc(centre + reach + 0.5));
    const raw = Array.from({ length: end - start }, (_, k) =>
      Math.max(0, 1 - Math.abs((start + k - centre + 0.5) * (1 / reach))),
    );
    const total = raw.reduce((sum, w) => sum + w, 0);
    starts[i] = start;
    counts[i] = end - start;
    for (const [k, w] of raw.entries()) weights[i * taps + k] = Math.trunc((w / total) * 2 ** FRACTION_BITS + 0.5);
  }
  return { taps, starts, counts, weights };
}
