// The reference fixtures: where they lie, how to load one, and the formula that their weights, inputs and masks follow
// (an integer hash, modulo 2^32, exact in every language). Without the folder the tests that need it are skipped.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors, type StoredArray } from "#lib/io/safetensors.js";

/** The folder that holds `fixtures/`: `VIDEOMAE_SHARED`, or `shared` beside the repository. */
export const sharedFolder = resolve(
  process.env.VIDEOMAE_SHARED ?? join(dirname(fileURLToPath(import.meta.url)), "../../shared"),
);

/** Whether the reference fixtures are there. */
export const haveShared = existsSync(join(sharedFolder, "fixtures"));
if (!haveShared) console.log("skipped: no reference fixtures; name their folder in VIDEOMAE_SHARED");

export interface FixtureTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: StoredArray;
}

export interface Fixture {
  /** Configuration and scalars; its shape differs from fixture to fixture. */
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the fields of its own fixture
  readonly json: any;
  readonly tensors: ReadonlyMap<string, FixtureTensor>;
}

/** Loads `<name>.json` and, where there is one, `<name>.safetensors`. */
export function loadFixture(name: string): Fixture {
  const path = join(sharedFolder, "fixtures", name);
  const json = JSON.parse(readFileSync(`${path}.json`, "utf8"));
  const tensors = new Map<string, FixtureTensor>();
  if (existsSync(`${path}.safetensors`)) {
    using file = openSafetensors(`${path}.safetensors`);
    for (const tensor of file.names) {
      const { dtype, shape } = file.entry(tensor);
      tensors.set(tensor, { dtype, shape, data: file.read(tensor) });
    }
  }
  return { json, tensors };
}

export interface FormulaGrid {
  readonly t: number;
  readonly h: number;
  readonly w: number;
}

/** Scrambles 32 bits. */
export function formulaMix(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The key of a name under a seed. */
export function formulaKey(seed: number, name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return formulaMix(hash ^ formulaMix(seed));
}

/** The first `count` hashes of a name, each in [0, 2^32). */
export function formulaBits(seed: number, name: string, count: number): Uint32Array {
  const key = formulaKey(seed, name);
  const bits = new Uint32Array(count);
  for (let i = 0; i < count; i++) bits[i] = formulaMix(key + Math.imul(i, 0x9e3779b9));
  return bits;
}

/** The first `count` numbers of a name, each in [-1, 1) and exact in f32. */
export function formulaUnit(seed: number, name: string, count: number): Float64Array {
  const bits = formulaBits(seed, name, count);
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) numbers[i] = (bits[i] >>> 8) * 2 ** -23 - 1;
  return numbers;
}

/** A parameter of this official name and shape. */
export function formulaParameter(seed: number, name: string, shape: readonly number[]): Float32Array {
  const count = shape.reduce((product, side) => product * side, 1);
  const [middle, reach] = parameterRange(name, shape, count);
  const numbers = formulaUnit(seed, name, count);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = middle + reach * numbers[i];
  return values;
}

function parameterRange(name: string, shape: readonly number[], count: number): [middle: number, reach: number] {
  const last = name.slice(name.lastIndexOf(".") + 1);
  if (last === "scale") return [3.5, 1.5];
  if (last === "gamma_1" || last === "gamma_2") return [0.1, 0.05];
  if (last === "mask_token") return [0, 0.02];
  if (shape.length === 1) return last === "weight" ? [1, 0.1] : [0, 0.02];
  return [0, Math.sqrt(3 / (count / shape[0]))];
}

const mean = [0.485, 0.456, 0.406];
const std = [0.229, 0.224, 0.225];

/** `input.video` as bytes, shape (B, 3, T, H, W). */
export function formulaVideoBytes(seed: number, shape: readonly number[]): Uint8Array {
  const [clips, channels, frames, height, width] = shape;
  const bits = formulaBits(seed, "input.video", clips * channels * frames * height * width);
  const bytes = new Uint8Array(bits.length);
  let i = 0;
  for (let bc = 0; bc < clips * channels; bc++) {
    for (let t = 0; t < frames; t++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++, i++) {
          const gain = 1 + (((y >> 3) + (x >> 3) + t + (bc % channels)) & 7);
          bytes[i] = ((bits[i] >>> 24) * gain) >> 3;
        }
      }
    }
  }
  return bytes;
}

/** `input.video`, shape (B, 3, T, H, W), normalised. */
export function formulaVideo(seed: number, shape: readonly number[]): Float32Array {
  const plane = shape[2] * shape[3] * shape[4];
  const bytes = formulaVideoBytes(seed, shape);
  const pixels = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const channel = Math.floor(i / plane) % 3;
    pixels[i] = (bytes[i] / 255 - mean[channel]) / std[channel];
  }
  return pixels;
}

/** `input.encoder_mask` (B, N), 1 = masked: tubes at the positions of the smallest hashes. */
export function formulaEncoderMask(seed: number, clips: number, grid: FormulaGrid, ratio: number): Uint8Array {
  const positions = grid.h * grid.w;
  const bits = formulaBits(seed, "input.encoder_mask", clips * positions);
  const mask = new Uint8Array(clips * grid.t * positions);
  for (let b = 0; b < clips; b++) {
    const own = bits.subarray(b * positions, (b + 1) * positions);
    const order = Array.from(own.keys()).sort((i, j) => own[i] - own[j] || i - j);
    for (const position of order.slice(0, Math.trunc(ratio * positions))) {
      for (let t = 0; t < grid.t; t++) mask[(b * grid.t + t) * positions + position] = 1;
    }
  }
  return mask;
}

/** `input.decoder_mask` (B, N), 1 = masked: one of the four running-cell maps a clip. */
export function formulaDecoderMask(seed: number, clips: number, grid: FormulaGrid, ratio: number): Uint8Array {
  const bits = formulaBits(seed, "input.decoder_mask", clips);
  const mask = new Uint8Array(clips * grid.t * grid.h * grid.w);
  let i = 0;
  for (let b = 0; b < clips; b++) {
    for (let t = 0; t < grid.t; t++) {
      for (let y = 0; y < grid.h; y++) {
        for (let x = 0; x < grid.w; x++, i++) {
          mask[i] = ((y % 2) * 2 + (x % 2) + (bits[b] % 4) + 1 + t) % 4 < Math.trunc(4 * ratio) ? 1 : 0;
        }
      }
    }
  }
  return mask;
}
