// A clip, what the encoder saw of it, and what the model made of the rest. Predictions are normalised per patch; they
// become pixels with the statistics of the true patch (shows structure, borrows brightness) and with statistics
// interpolated from the visible patches (borrows nothing).
import { noGrad } from "../autograd/grad-mode.js";
import type { DualMask } from "../masking/dual-mask.js";
import type { PretrainModel } from "../models/pretrain.js";
import { tokenGrid } from "../models/sizes.js";
import { widened } from "../ops/cast.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { maskFrames, type PatchGrid, paintTokens, patchStatistics, visibleStatistics } from "./denormalize.js";
import type { Panel } from "./picture.js";

/**
 * The panels of a picture: original, masked input, and one or two reconstructions (with a model of raw pixels there is
 * nothing to de-normalise, so one). Every hidden token is shown: those the decoder mask left out are predicted too.
 * @param clip  u8 (T, S, S, 3)
 * @param place  which of the fixed masks to use
 */
export function reconstructionPanels(model: PretrainModel, masks: DualMask, clip: Uint8Array, place = 0): Panel[] {
  const grid: PatchGrid = { ...tokenGrid(model.config), patch: model.config.patch, tubelet: model.config.tubelet };
  const { visible } = masks.indices({ keys: [{ epoch: 0, place, view: 0 }] });
  const sees = new Set(visible);
  const hidden = Int32Array.from({ length: masks.counts.tokens }, (_, n) => n).filter((n) => !sees.has(n));
  const patches = predictHidden(model, masks, clip, { visible, hidden, place });
  const panels: Panel[] = [
    { label: "original", frames: clip },
    { label: "masked input", frames: maskFrames(clip, grid, visible) },
  ];
  if (!model.config.normalizeTarget) {
    return [...panels, { label: "reconstruction", frames: paintTokens(clip, grid, hidden, patches, undefined) }];
  }
  const own = patchStatistics(clip, grid);
  const borrowed = visibleStatistics(clip, grid, visible);
  return [
    ...panels,
    { label: "true statistics", frames: paintTokens(clip, grid, hidden, patches, own) },
    { label: "visible statistics", frames: paintTokens(clip, grid, hidden, patches, borrowed) },
  ];
}

/** Passes with a decoder mask of the run before what is still missing is predicted at once. */
const maximalPasses = 16;

/**
 * Predictions of every hidden token, (hidden, P) row-major. The decoder is run with masks like those it was trained
 * with, as often as it takes to cover all hidden tokens: it never saw all of them in one sequence.
 */
function predictHidden(
  model: PretrainModel,
  masks: DualMask,
  clip: Uint8Array,
  { visible, hidden, place }: { visible: Int32Array; hidden: Int32Array; place: number },
): Float32Array {
  const rows = new Map<number, Float32Array>();
  for (let view = 0; view < maximalPasses && hidden.some((n) => !rows.has(n)); view++) {
    const { decoded } = masks.indices({ keys: [{ epoch: 0, place, view }] });
    for (const [n, row] of predict(model, clip, visible, decoded)) rows.set(n, rows.get(n) ?? row);
  }
  const missing = hidden.filter((n) => !rows.has(n));
  if (missing.length > 0) for (const [n, row] of predict(model, clip, visible, missing)) rows.set(n, row);
  const width = rows.get(hidden[0])!.length;
  const patches = new Float32Array(hidden.length * width);
  for (const [i, n] of hidden.entries()) patches.set(rows.get(n)!, i * width);
  return patches;
}

/** Each token of `tokens` with its predicted row. */
function predict(
  model: PretrainModel,
  clip: Uint8Array,
  seen: Int32Array,
  tokens: Int32Array,
): [number, Float32Array][] {
  const { frames, image } = model.config;
  const values = noGrad(() =>
    scope(() => {
      const video = Tensor.fromArray(clip, [1, frames, image, image, 3]);
      const visible = Tensor.fromArray(seen, [1, seen.length]);
      const decoded = Tensor.fromArray(tokens, [1, tokens.length]);
      return Float32Array.from(widened(model.forward(video, { visible, decoded })).readSync());
    }),
  );
  const width = values.length / tokens.length;
  return [...tokens].map((n, r) => [n, values.subarray(r * width, (r + 1) * width)]);
}
