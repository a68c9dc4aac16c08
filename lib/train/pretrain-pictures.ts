// What a model in pre-training makes of the first videos of its data.
import type { PretrainRunConfig } from "../config/pretrain-config.js";
import type { DataSpec } from "../data/loader.js";
import { VideomaeError } from "../errors.js";
import { type EvaluationClip, evaluationClips } from "../eval/clips.js";
import { drawSheet } from "../eval/picture.js";
import { reconstructionPanels } from "../eval/reconstruct.js";
import type { DualMask } from "../masking/dual-mask.js";
import type { PretrainModel } from "../models/pretrain.js";
import type { NamedPicture } from "./training-run.js";

/** How many clips are shown. */
const SHOWN = 2;

/**
 * Clips as a run sees them: the middle frames of the first videos that can be read.
 * @param data  other videos than the run's own
 */
export function clipsOf(
  config: PretrainRunConfig,
  { config: { frames, image } }: PretrainModel,
  { limit, data }: { readonly limit: number; readonly data?: DataSpec },
): Promise<EvaluationClip[]> {
  const { root, framesTemplate, stride, rate, pixelAspect, decoder } = config;
  const listed = data === undefined ? { root: root || undefined, framesTemplate } : {};
  return evaluationClips(data ?? config.data, {
    ...{ frames, size: image, stride, rate, pixelAspect, decoder, limit },
    ...listed,
  });
}

/** Draws the reconstructions of a run's first clips, as often as it is called. */
export function reconstructionPictures(
  config: PretrainRunConfig,
  model: PretrainModel,
  masks: DualMask,
): () => Promise<NamedPicture[]> {
  let clips: Promise<EvaluationClip[]> | undefined;
  return async () => {
    clips ??= clipsOf(config, model, { limit: SHOWN }).catch((error) => {
      if (error instanceof VideomaeError) return []; // the loader tells of data that cannot be read
      throw error;
    });
    const shown = await clips;
    model.train(false);
    try {
      const side = model.config.image;
      const panels = shown.map(({ frames }, place) => reconstructionPanels(model, masks, frames, place));
      return await Promise.all(
        panels.map(async (of, i) => ({ name: `reconstruction/${i}`, ...(await drawSheet({ panels: of, side })) })),
      );
    } finally {
      model.train(true);
    }
  };
}
