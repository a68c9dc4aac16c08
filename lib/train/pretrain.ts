// Masked pre-training (VideoMAE V2, section 3): the recipe behind `videomae pretrain`.
import {
  type PretrainRunConfig,
  type PretrainRunOptions,
  parsePretrainConfig,
  planSteps,
} from "../config/pretrain-config.js";
import { pretrainRecipes } from "../config/recipes.js";
import { encoderOptions } from "../config/run-options.js";
import { type ClipBatch, VideoDataset } from "../data/loader.js";
import { type DualMask, dualMask } from "../masking/dual-mask.js";
import { type PretrainModel, pretrainModel } from "../models/pretrain.js";
import { type PretrainConfig, resolvePretrainConfig, tokenGrid } from "../models/sizes.js";
import { parameterGroups } from "../optim/adamw.js";
import { Tensor } from "../tensor/tensor.js";
import { computeOf, openCompute } from "./compute.js";
import type { Objective } from "./objective.js";
import { positionNotes } from "./position-note.js";
import { reconstructionPictures } from "./pretrain-pictures.js";
import type { RunState, Stage } from "./run-state.js";
import type { RunControl, RunSummary } from "./training-run.js";

/** What a script can watch and stop of `pretrain`. */
export type PretrainControl = RunControl<PretrainModel>;

/** What became of a pre-training. */
export type PretrainSummary = RunSummary;

/** What a checkpoint of pre-training says of its run. */
export type PretrainState = RunState<PretrainRunConfig, PretrainConfig>;

/** How checkpoints of pre-training are read. */
export const pretrainStage: Stage<PretrainRunConfig, PretrainConfig> = {
  name: "pretrain",
  parse: parsePretrainConfig,
  describe: (model) => resolvePretrainConfig(model),
  neutral: () => [
    ...Object.keys(encoderOptions()),
    ...["decoderWidth", "decoderDepth", "decoderHeads", "dropPath", "normalizeTarget"],
  ],
};

/**
 * Pre-trains a model and leaves checkpoints and a log in `options.out`.
 * @throws VideomaeError for bad options or data, when updates are skipped too often in a row, and when checkpoints
 *   cannot be saved
 */
export async function pretrain(options: PretrainRunOptions, control: PretrainControl = {}): Promise<PretrainSummary> {
  const config = parsePretrainConfig(options);
  openCompute(config);
  const { masks, ...objective } = pretrainObjective(config);
  using model = objective.model;
  const recipe = {
    ...{ stage: pretrainStage, book: pretrainRecipes, config, objective },
    plan: (stepsPerEpoch: number) => planSteps(config, stepsPerEpoch),
    dataset: datasetOf(config, model),
    inputsOf: (batch: ClipBatch) => ({ video: batch.video, ...masks.sample(batch) }),
    notes: positionNotes(config.position, model.config),
    pictures: reconstructionPictures(config, model, masks),
  };
  const { runTraining } = await import("./training-run.js");
  return await runTraining(recipe, control);
}

function datasetOf(config: PretrainRunConfig, model: PretrainModel): VideoDataset {
  const { root, exclude, framesTemplate, stride, rate, pixelAspect, views, minFrames } = config;
  const { image, frames } = model.config;
  return VideoDataset.from(config.data, {
    ...{ root: root || undefined, exclude: exclude || undefined, framesTemplate },
    ...{ frames, stride, rate, pixelAspect, size: image, views, minFrames },
  });
}

/** Video u8 (B, T, S, S, 3), and the tokens seen and rebuilt, i32 (B, V) and (B, R). */
interface PretrainInputs extends Record<string, Tensor> {
  readonly video: Tensor;
  readonly visible: Tensor;
  readonly decoded: Tensor;
}

/** The masked pixel loss of a model with fresh weights, with the masks of the run. The caller disposes of the model. */
export function pretrainObjective(
  config: PretrainRunConfig,
): Objective<PretrainModel, PretrainInputs> & { readonly masks: DualMask } {
  const model = modelOf(config);
  const masks = masksOf(config, model);
  const { visible, decoded } = masks.counts;
  const { frames, image } = model.config;
  const clips = config.batchSize * config.views;
  return {
    model,
    masks,
    groups: parameterGroups(model),
    loss: ({ video, visible, decoded }) => model.loss(video, { visible, decoded }),
    blankInputs: () => ({
      video: Tensor.zeros([clips, frames, image, image, 3], "u8"),
      visible: Tensor.zeros([clips, visible], "i32"),
      decoded: Tensor.zeros([clips, decoded], "i32"),
    }),
  };
}

/** The model that a run's options describe, with fresh weights. The caller disposes of it. */
function modelOf(config: PretrainRunConfig): PretrainModel {
  const { image, patch, frames, tubelet, width, depth, heads, decoderWidth, decoderDepth, decoderHeads } = config;
  const { dropPath, normalizeTarget, seed, recompute, position } = config;
  const encoder = { image, patch, frames, tubelet, width, depth, heads, dropPath };
  const decoder = { decoderWidth, decoderDepth, decoderHeads, normalizeTarget };
  return pretrainModel(config.model, { ...computeOf(config), seed, recompute, position, ...encoder, ...decoder });
}

/** The masks of a run on its model's token grid. */
export function masksOf(config: PretrainRunConfig, model: PretrainModel): DualMask {
  return dualMask({
    encoder: { kind: config.mask, ratio: config.maskRatio },
    decoder:
      config.decoderMask === "none" ? { kind: "none" } : { kind: config.decoderMask, ratio: config.decoderMaskRatio },
    seed: config.seed,
    grid: tokenGrid(model.config),
  });
}
