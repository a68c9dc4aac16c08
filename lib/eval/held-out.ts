// How much a pre-training model has learnt: its loss on held-out clips with fixed masks, divided by the loss of always
// predicting zero (each patch's mean). 1 means nothing; also by quartile of patch contrast, because flat patches, whose
// normalised targets are mostly noise, hide what happens in the others.
import { noGrad } from "../autograd/grad-mode.js";
import type { DualMask } from "../masking/dual-mask.js";
import { fixedMasks } from "../masking/dual-mask.js";
import type { PretrainModel } from "../models/pretrain.js";
import { pixelTargets, tokenLosses } from "../ops/masked-pixel-loss.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** Loss over hidden tokens, and the same loss of predicting zero. */
export interface Ratio {
  readonly loss: number;
  readonly zeroLoss: number;
  /** loss / zeroLoss */
  readonly ratio: number;
  readonly tokens: number;
}

/** Losses on held-out clips, each set against that of predicting every patch's mean. */
export interface HeldOutReport {
  readonly overall: Ratio;
  /** By contrast (standard deviation of a token's pixels), lowest quarter first. */
  readonly quartiles: readonly Ratio[];
}

interface TokenResult {
  readonly loss: number;
  readonly zeroLoss: number;
  readonly contrast: number;
}

/**
 * Evaluates on clips; clip i has the masks of key (0, i, 0).
 * @param clips  each u8 (T, S, S, 3)
 */
export function evaluateHeldOut(model: PretrainModel, masks: DualMask, clips: readonly Uint8Array[]): HeldOutReport {
  const { visible, decoded } = fixedMasks(masks, clips.length);
  const tokens = clips.flatMap((clip, i) =>
    clipTokens(
      model,
      clip,
      visible.subarray(i * masks.counts.visible, (i + 1) * masks.counts.visible),
      decoded.subarray(i * masks.counts.decoded, (i + 1) * masks.counts.decoded),
    ),
  );
  const sorted = [...tokens].sort((a, b) => a.contrast - b.contrast);
  const quarter = (q: number) => sorted.slice((q * sorted.length) >> 2, ((q + 1) * sorted.length) >> 2);
  return { overall: ratioOf(tokens), quartiles: [0, 1, 2, 3].map((q) => ratioOf(quarter(q))) };
}

function clipTokens(model: PretrainModel, clip: Uint8Array, seen: Int32Array, rebuilt: Int32Array): TokenResult[] {
  const { frames, image } = model.config;
  return noGrad(() =>
    scope(() => {
      const video = Tensor.fromArray(clip, [1, frames, image, image, 3]);
      const visible = Tensor.fromArray(seen, [1, seen.length]);
      const decoded = Tensor.fromArray(rebuilt, [1, rebuilt.length]);
      const prediction = model.forward(video, { visible, decoded });
      const targets = model.targets(video, { visible, decoded });
      const losses = tokenLosses(prediction, targets).readSync();
      const { shape, dtype, device } = prediction;
      const zeroLosses = tokenLosses(Tensor.zeros(shape, dtype, device), targets).readSync();
      const raw = pixelTargets(video, decoded, { tubelet: targets.tubelet, patch: targets.patch, normalize: false });
      const contrasts = deviations(raw.readSync(), rebuilt.length);
      const sees = new Set(seen);
      return [...rebuilt].flatMap((token, r) =>
        sees.has(token) ? [] : [{ loss: losses[r], zeroLoss: zeroLosses[r], contrast: contrasts[r] }],
      );
    }),
  );
}

/** The standard deviation of each row. */
function deviations(values: ArrayLike<number>, rows: number): Float64Array {
  const columns = values.length / rows;
  return Float64Array.from({ length: rows }, (_, r) => {
    let [sum, squares] = [0, 0];
    for (let i = r * columns; i < (r + 1) * columns; i++) sum += values[i];
    for (let i = r * columns; i < (r + 1) * columns; i++) squares += (values[i] - sum / columns) ** 2;
    return Math.sqrt(squares / columns);
  });
}

function ratioOf(tokens: readonly TokenResult[]): Ratio {
  const mean = (key: "loss" | "zeroLoss") => tokens.reduce((sum, t) => sum + t[key], 0) / tokens.length;
  const [loss, zeroLoss] = [mean("loss"), mean("zeroLoss")];
  return { loss, zeroLoss, ratio: loss / zeroLoss, tokens: tokens.length };
}
