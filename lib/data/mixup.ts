// What is mixed with what (spec 4.9): mixup (Zhang et al. 2018) or CutMix (Yun et al. 2019) of a batch with itself in reverse
// order, and the soft labels that come of it. Draws are keyed by (seed, step, clip), so a step that is made again is the same.
// The pixels are the op's business (lib/ops/mix-clips.ts): CutMix is a box and a lambda of 1, mixup a lambda and no box.

import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { RandomStream } from "../random.js";

/** How clips are mixed; at least one of the two alphas is above 0. */
export interface MixupOptions {
  /** Mixup's lambda is drawn from Beta(alpha, alpha); 0: no mixup. Published: 0.8. */
  readonly mixup: number;
  /** CutMix's lambda is drawn from Beta(alpha, alpha); 0: no CutMix. Published: 1. */
  readonly cutmix: number;
  /** How often a draw mixes at all. Default 1. */
  readonly probability?: number;
  /** Where both are on, how often CutMix is chosen. Default 0.5. */
  readonly switchProbability?: number;
  /** What shares a draw: all clips, the two of a pair, or none ("element"). Default "batch". */
  readonly mode?: "batch" | "pair" | "element";
}

/** How each of B clips is mixed with clip B - 1 - b. */
export interface ClipMix {
  /** (B): the part that a clip has in its pixels outside its box; 1 in CutMix. */
  readonly lambda: Float32Array;
  /** (B, 4): top, bottom, left, right, pixels; zeros where there is no box. */
  readonly box: Int32Array;
  /** (B): the part that a clip has in its label. */
  readonly share: Float64Array;
}

const PROBABILITIES = ["probability", "switchProbability"] as const;
const MODES = ["batch", "pair", "element"];

/** @throws VideomaeError that names the option */
export function checkMixup(options: MixupOptions): Required<MixupOptions> {
  const op = "mixup";
  rejectUnknownOptions(op, options, ["mixup", "cutmix", ...PROBABILITIES, "mode"]);
  const all = { probability: 1, switchProbability: 0.5, mode: "batch" as const, ...options };
  for (const name of ["mixup", "cutmix"] as const) {
    const alpha = all[name];
    if (!(alpha >= 0 && Number.isFinite(alpha))) {
      throw new VideomaeError({ op, expected: `${name}, an alpha of 0 or more`, got: `${alpha}` });
    }
  }
  for (const name of PROBABILITIES) {
    if (!(all[name] >= 0 && all[name] <= 1)) {
      throw new VideomaeError({ op, expected: `${name} from 0 to 1`, got: `${all[name]}` });
    }
  }
  if (!MODES.includes(all.mode)) {
    throw new VideomaeError({ op, expected: `mode out of ${MODES.join(", ")}`, got: `"${all.mode}"` });
  }
  if (all.mixup === 0 && all.cutmix === 0) {
    throw new VideomaeError({ op, expected: "mixup or cutmix above 0", got: "both 0", hint: "leave mixing out" });
  }
  return all;
}

/**
 * Draws how the clips of a batch are mixed.
 * @param batch.size  side of a frame, pixels
 * @param key.step  number of the batch: each is drawn for anew
 * @throws VideomaeError for options out of bounds
 */
export function drawMix(
  options: MixupOptions,
  batch: { readonly clips: number; readonly size: number },
  key: { readonly seed: number; readonly step: number },
): ClipMix {
  const settings = checkMixup(options);
  const { clips, size } = batch;
  const mix = {
    lambda: new Float32Array(clips).fill(1),
    box: new Int32Array(4 * clips),
    share: new Float64Array(clips).fill(1),
  };
  for (let clip = 0; clip < clips; clip++) {
    const draw = { batch: 0, pair: Math.min(clip, clips - 1 - clip), element: clip }[settings.mode];
    const stream = new RandomStream(key.seed, "mixup", [key.step, draw]);
    if (stream.uniform() >= settings.probability) continue;
    if (choosesCut(settings, stream)) {
      const box = drawBox(size, beta(settings.cutmix, stream), stream);
      mix.box.set(box, 4 * clip);
      mix.share[clip] = 1 - ((box[1] - box[0]) * (box[3] - box[2])) / size ** 2;
    } else {
      mix.lambda[clip] = beta(settings.mixup, stream);
      mix.share[clip] = mix.lambda[clip]; // as rounded to f32
    }
  }
  return mix;
}

/**
 * The labels of mixed clips: `share y(b) + (1 - share) y(B - 1 - b)`, where y has 1 - smoothing + smoothing / K at the clip's
 * class and smoothing / K elsewhere.
 * @param labels  B classes
 * @param options  `classes`: K; `share`: (B), of `drawMix`, without which nothing is mixed
 * @returns (B, K), rows with a sum of 1
 * @throws VideomaeError for a label that is no class
 */
export function softTargets(
  labels: readonly (number | undefined)[],
  { classes, smoothing = 0, share }: { classes: number; smoothing?: number; share?: Float64Array },
): Float32Array {
  const targets = new Float64Array(labels.length * classes).fill(smoothing / classes);
  for (const clip of labels.keys()) {
    const kept = share?.[clip] ?? 1;
    const [own, other] = [clip, labels.length - 1 - clip].map((b) => checkLabel(labels[b], classes));
    targets[clip * classes + own] += (1 - smoothing) * kept;
    targets[clip * classes + other] += (1 - smoothing) * (1 - kept);
  }
  return Float32Array.from(targets);
}

function checkLabel(label: number | undefined, classes: number): number {
  if (label !== undefined && Number.isInteger(label) && label >= 0 && label < classes) return label;
  throw new VideomaeError({
    op: "soft targets",
    expected: `a class from 0 to ${classes - 1} for every clip`,
    got: label === undefined ? "a clip without one" : `${label}`,
  });
}

function choosesCut({ mixup, cutmix, switchProbability }: Required<MixupOptions>, stream: RandomStream): boolean {
  if (mixup === 0 || cutmix === 0) return mixup === 0;
  return stream.uniform() < switchProbability;
}

/** A box of about 1 - lambda of a frame around a point anywhere in it, cut off at the edges: top, bottom, left, right. */
function drawBox(size: number, lambda: number, stream: RandomStream): [number, number, number, number] {
  const half = Math.floor(Math.trunc(size * Math.sqrt(1 - lambda)) / 2);
  const ends = (): [number, number] => {
    const centre = stream.integer(size);
    return [Math.max(centre - half, 0), Math.min(centre + half, size)];
  };
  return [...ends(), ...ends()];
}

/** A number of Beta(alpha, alpha), in logarithms: for a small alpha both gammas may be too small for a number. */
function beta(alpha: number, stream: RandomStream): number {
  const first = logGammaVariate(alpha, stream);
  return 1 / (1 + Math.exp(logGammaVariate(alpha, stream) - first));
}

/** The logarithm of a number of Gamma(shape, 1): Marsaglia & Tsang 2000, "A simple method for generating gamma variables". */
function logGammaVariate(shape: number, stream: RandomStream): number {
  if (shape < 1) return logGammaVariate(shape + 1, stream) + Math.log(1 - stream.uniform()) / shape;
  const d = shape - 1 / 3;
  for (;;) {
    const x = stream.normal();
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - stream.uniform()) < x ** 2 / 2 + d * (1 - v + Math.log(v))) return Math.log(d * v);
  }
}
