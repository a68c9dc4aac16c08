// The options of a pre-training run, used by the command line, by scripts and by the checkpoint. Sizes of the model and
// kinds of masks are checked where they are used.

import type * as zod from "zod";
import { z } from "../zod.js";
import { adviceOnKey, adviceOnWord } from "./official-options.js";
import {
  adamOptions,
  batchOptions,
  betasOption,
  computeOptions,
  count,
  dataSpec,
  encoderOptions,
  fraction,
  keepingOptions,
  lengthOptions,
  type Pace,
  path,
  positionOption,
  rateOptions,
  readingOptions,
  type StepPlan,
  stepPlan,
  weightDecayOptions,
} from "./run-options.js";
import { StageOptions } from "./stage-options.js";

const pace: Pace = { lr: 1.5e-4, minLr: 1e-5, epochs: 300, warmupEpochs: 40 };

const shape = () => ({
  data: dataSpec().describe(
    "folder of clips, list file with one clip a line, mixture file (.json), or several of these",
  ),
  root: z.string().default("").describe("folder that relative paths of a list file start from"),
  out: path().default("runs/pretrain").describe("folder for checkpoints, log and loss plot"),

  ...encoderOptions(),
  decoderWidth: count().optional().describe("width of the decoder (default: the model's)"),
  decoderDepth: count().optional().describe("blocks of the decoder (default: the model's, 4)"),
  decoderHeads: count().optional().describe("attention heads of the decoder (default: the model's)"),
  position: positionOption(),
  dropPath: fraction().default(0).describe("stochastic depth of the last block"),
  normalizeTarget: z.boolean().default(true).describe("normalise the target per token and channel"),

  ...readingOptions(),
  rate: z.number().positive().optional().describe("clip frames a second: taken by time, instead of by stride"),
  pixelAspect: z
    .enum(["stored", "display"])
    .default("stored")
    .describe("shape of pixels that are not square: as stored (as published models saw them), or as displayed"),
  views: count().default(1).describe("clips taken from a video each time it is decoded"),

  mask: z.enum(["tube", "random", "frame", "running-cell"]).default("tube").describe("encoder mask"),
  maskRatio: fraction().default(0.9).describe("fraction of tokens hidden from the encoder"),
  decoderMask: z
    .enum(["running-cell", "none", "random", "frame", "tube"])
    .default("running-cell")
    .describe("decoder mask; none reconstructs every hidden token"),
  decoderMaskRatio: fraction().default(0.5).describe("fraction of tokens not reconstructed"),

  ...batchOptions(),
  ...lengthOptions(pace),
  ...rateOptions(pace),
  ...weightDecayOptions(),
  betas: betasOption([0.9, 0.95]),
  ...adamOptions(),
  ...computeOptions(),
  ...keepingOptions(),
});

export const pretrainOptions = new StageOptions("pretrain", shape, { key: adviceOnKey, word: adviceOnWord });

/**
 * The options of a run with every default filled in.
 * @interface
 */
export type PretrainRunConfig = ReturnType<typeof pretrainOptions.parse>;

/**
 * The options as a user gives them: only `data` is required.
 * @interface
 */
export type PretrainRunOptions = zod.input<zod.ZodObject<ReturnType<typeof shape>>>;

/**
 * Checks options and fills in defaults.
 *
 * @param op  where the options come from, for messages, e.g. `pretrain` or a file's name
 * @throws VideomaeError that names the option, what was expected and, for a misspelt one, the nearest real one.
 */
export function parsePretrainConfig(options: unknown, op?: string): PretrainRunConfig {
  return pretrainOptions.parse(options, op);
}

/** Turns epochs into updates, for data that makes `stepsPerEpoch` updates an epoch; a fraction with accumulation. */
export function planSteps(config: PretrainRunConfig, stepsPerEpoch: number): StepPlan {
  return stepPlan(config, stepsPerEpoch, pace);
}
