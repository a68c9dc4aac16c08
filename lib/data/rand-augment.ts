// RandAugment (Cubuk et al. 2020) as VideoMAE V2 fine-tunes with it (spec 4.7): a few of 15 operations drawn for a clip,
// each skipped half of the time, and done to every frame with the same arguments. Pixels are Pillow's, to the bit.

import { VideomaeError } from "../errors.js";
import { type AffineMap, affine } from "../ops/affine.js";
import { type ColorKind, colorTransform } from "../ops/color-transform.js";
import type { RandomStream } from "../random.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";

/** How strong, and how much. */
export interface RandAugment {
  /** 0 to 10. */
  readonly magnitude: number;
  /** Operations drawn for a clip, with replacement. */
  readonly count: number;
  /** Deviation of the magnitude of each operation; 0: it is always the same. */
  readonly deviation: number;
  /** Whether every operation grows stronger with the magnitude; otherwise some grow weaker. */
  readonly increasing: boolean;
}

/** One operation with its argument. */
export type AugmentStep =
  | { readonly kind: ColorKind; readonly amount: number }
  /** Degrees, counter-clockwise as Pillow counts. */
  | { readonly kind: "rotate"; readonly amount: number }
  /** A shear, or a shift as a part of the frame's side. */
  | { readonly kind: "shearX" | "shearY" | "translateX" | "translateY"; readonly amount: number };

/** The operations, in the order of the published set. */
const kinds = [
  "autoContrast",
  "equalize",
  "invert",
  "rotate",
  "posterize",
  "solarize",
  "solarizeAdd",
  "color",
  "contrast",
  "brightness",
  "sharpness",
  "shearX",
  "shearY",
  "translateX",
  "translateY",
] as const satisfies readonly AugmentStep["kind"][];
type Kind = (typeof kinds)[number];

const STRONGEST = 10;

/**
 * Reads a configuration in the published form: `rand-m7-n4-mstd0.5-inc1`. `m` is the magnitude (default 10), `n` the
 * number of operations (2), `mstd` the deviation (0); `inc` with any number chooses the increasing set.
 * @throws VideomaeError for anything else
 */
export function parseRandAugment(text: string): RandAugment {
  const fail = (got: string): never => {
    const hint = "m: magnitude 0 to 10, n: operations, mstd: deviation, inc1: all grow with the magnitude";
    throw new VideomaeError({ op: "randAugment", expected: 'a form like "rand-m7-n4-mstd0.5-inc1"', got, hint });
  };
  const [head, ...parts] = text.split("-");
  if (head !== "rand") fail(`"${text}"`);
  const found = { magnitude: STRONGEST, count: 2, deviation: 0, increasing: false };
  for (const part of parts) {
    const [, key, digits] = /^([a-z]+)(\d+(?:\.\d+)?)$/.exec(part) ?? fail(`"${part}" in "${text}"`);
    const number = Number(digits);
    if (key === "m" && number <= STRONGEST) found.magnitude = number;
    else if (key === "n" && Number.isInteger(number) && number <= 100) found.count = number;
    else if (key === "mstd") found.deviation = number;
    else if (key === "inc") found.increasing = true;
    else fail(`"${part}" in "${text}"`);
  }
  return found;
}

/** The operations of one clip. */
export function drawSteps(config: RandAugment, random: RandomStream): AugmentStep[] {
  const drawn = Array.from({ length: config.count }, () => kinds[random.integer(kinds.length)]);
  return drawn.flatMap((kind) => {
    if (random.uniform() >= 0.5) return [];
    const level = config.magnitude + (config.deviation > 0 ? config.deviation * random.normal() : 0);
    const step = stepAt(kind, Math.min(Math.max(level, 0), STRONGEST), random.uniform() >= 0.5, config.increasing);
    return step === undefined ? [] : [step];
  });
}

/**
 * An operation at a magnitude.
 * @param level  0 to 10
 * @param negative  turns the sign, where the operation has one
 * @returns undefined for one that would change nothing
 */
export function stepAt(kind: Kind, level: number, negative: boolean, increasing: boolean): AugmentStep | undefined {
  const part = level / STRONGEST;
  const signed = (most: number) => (negative ? -1 : 1) * part * most;
  switch (kind) {
    case "rotate":
      return { kind, amount: signed(30) };
    case "shearX":
    case "shearY":
      return { kind, amount: signed(0.3) };
    case "translateX":
    case "translateY":
      return { kind, amount: signed(0.45) };
    case "posterize":
      return { kind, amount: increasing ? 4 - Math.trunc(part * 4) : Math.trunc(part * 4) };
    case "solarize":
      return { kind, amount: increasing ? 256 - Math.trunc(part * 256) : Math.trunc(part * 256) };
    case "solarizeAdd":
      return { kind, amount: Math.trunc(part * 110) };
    case "color":
    case "contrast":
    case "brightness":
    case "sharpness":
      return { kind, amount: increasing ? 1 + signed(0.9) : 0.1 + part * 1.8 };
    default:
      return { kind, amount: 0 };
  }
}

/**
 * Does the operations one after the other to every frame.
 * @param frames  u8 (T, H, W, 3)
 * @param filter  of the operations that move pixels
 * @returns u8 (T, H, W, 3)
 */
export function augmentFrames(
  frames: Tensor,
  steps: readonly AugmentStep[],
  filter: "bilinear" | "bicubic" = "bicubic",
): Tensor {
  const [, height, width] = frames.shape;
  return scope(() => {
    let current = frames;
    for (const step of steps) {
      const map = mapOf(step, width, height);
      current =
        map === undefined
          ? colorTransform(current, step.kind as ColorKind, step.amount)
          : affine(current, map, { filter });
    }
    return keep(current === frames ? frames.view(frames.shape) : current);
  });
}

/** Where the pixels of a moved frame are read; undefined for an operation on colours. */
function mapOf({ kind, amount: k }: AugmentStep, width: number, height: number): AffineMap | undefined {
  const still = { a: 1, b: 0, c: 0, d: 0, e: 1, f: 0 };
  switch (kind) {
    case "shearX":
      return { ...still, b: k };
    case "shearY":
      return { ...still, d: k };
    case "translateX":
      return { ...still, c: k * width };
    case "translateY":
      return { ...still, f: k * height };
    case "rotate":
      return rotation(k, width / 2, height / 2);
    default:
      return undefined;
  }
}

/** About a centre, pixels; entries rounded to 15 decimals, as Pillow does. */
function rotation(degrees: number, x: number, y: number): AffineMap {
  const angle = -((degrees * Math.PI) / 180);
  const rounded = (value: number) => Number(value.toFixed(15));
  const [a, b] = [rounded(Math.cos(angle)), rounded(Math.sin(angle))];
  const [d, e] = [rounded(-Math.sin(angle)), a];
  return { a, b, c: a * -x + b * -y + x, d, e, f: d * -x + e * -y + y };
}
