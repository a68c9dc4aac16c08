// The options of fine-tuning and of post-pre-training, which is the same training on merged data sets (VideoMAE V2, section
// 4): used by the command line, by scripts and by the checkpoint. Defaults are those of the published script (spec 14.2)
// where docs/numerics.md says nothing else.

import type * as zod from "zod";
import { z } from "../zod.js";
import { adviceOnClassifierKey } from "./official-finetune-options.js";
import {
  adamOptions,
  atLeastZero,
  batchOptions,
  betasOption,
  computeOptions,
  count,
  dataSpec,
  encoderOptions,
  fraction,
  keepingOptions,
  labelledReadingOptions,
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

const pace: Pace = { lr: 1e-3, minLr: 1e-6, epochs: 30, warmupEpochs: 5 };

const probability = () => z.number().min(0).max(1);

/** The options of a stage that trains a classifier; `out` is where its runs are. */
export const classifierShape = (out: string) => ({
  data: dataSpec().describe(
    "labelled list, folder with a sub-folder for each class, mixture file (.json), or several of these",
  ),
  root: z.string().default("").describe("folder that relative paths of a list file start from"),
  out: path().default(out).describe("folder for checkpoints, log and reports"),
  classes: z.string().default("").describe("file with the name of a class a line (default: a folder's own names)"),
  validation: z.string().default("").describe("labelled list or folder to measure accuracy on"),
  validateEpochs: count().default(1).describe("epochs between two measurements; each is saved"),

  weights: z
    .string()
    .default("")
    .describe("weights to begin with: the folder of a run, or a file (default: random ones)"),
  labelMap: z
    .string()
    .default("")
    .describe("JSON: for each class the row of the weights' head (default: rows are found by class name)"),
  ...encoderOptions(),
  model: z
    .string()
    .min(1)
    .optional()
    .describe("vit-small, vit-base, vit-large, vit-huge or vit-giant (default: that of the weights, or vit-base)"),
  position: positionOption(),
  pooling: z
    .enum(["mean", "first-token"])
    .default("mean")
    .describe("what becomes of the tokens: their mean, or the first of them"),
  dropPath: fraction().default(0.1).describe("stochastic depth of the last block"),
  headDropout: fraction().default(0).describe("dropout before the head"),
  headInitScale: atLeastZero().default(0.001).describe("what a new head's weights are multiplied by"),

  ...readingOptions(),
  ...labelledReadingOptions(),
  views: count().default(2).describe("clips taken from a video each time it is decoded"),
  shortSide: count().optional().describe("short side of a frame in validation, before the crop (default: the input's)"),
  randAugment: z.string().default("rand-m7-n4-mstd0.5-inc1").describe("RandAugment in the published form, or none"),
  cropArea: z
    .tuple([probability(), probability()])
    .default([0.08, 1])
    .describe("part of a frame's area that is cropped"),
  cropAspect: z
    .tuple([z.number().positive(), z.number().positive()])
    .default([3 / 4, 4 / 3])
    .describe("width over height of the crop"),
  flip: probability().default(0.5).describe("how often left and right are exchanged; 0 where classes depend on it"),
  erase: probability().default(0.25).describe("how often a box is erased"),
  eraseFill: z.enum(["pixel", "frame", "constant"]).default("pixel").describe("what an erased box is filled with"),
  mixup: atLeastZero().default(0.8).describe("alpha of mixup; 0: none"),
  cutmix: atLeastZero().default(1).describe("alpha of CutMix; 0: none"),
  mixProbability: probability().default(1).describe("how often a batch is mixed"),
  cutmixShare: probability().default(0.5).describe("how often CutMix is taken where both are on"),
  mixMode: z.enum(["batch", "pair", "element"]).default("batch").describe("what shares a draw of the mixing"),
  smoothing: fraction().default(0.1).describe("label smoothing"),

  ...batchOptions(),
  ...lengthOptions(pace),
  ...rateOptions(pace),
  layerDecay: z
    .number()
    .positive()
    .max(1)
    .default(0.75)
    .describe("what the learning rate is multiplied by from a block to the one before it"),
  ...weightDecayOptions(),
  betas: betasOption([0.9, 0.999]),
  ...adamOptions(),
  emaDecay: fraction()
    .optional()
    .describe("decay of averaged weights, which are then measured and used (default: none)"),
  ...computeOptions(),
  ...keepingOptions(),
});

export const classifierAdvice = { key: adviceOnClassifierKey };

/** The options of each stage that trains a classifier. */
export const classifierOptions = {
  finetune: new StageOptions("finetune", () => classifierShape("runs/finetune"), classifierAdvice),
  "post-pretrain": new StageOptions("post-pretrain", () => classifierShape("runs/post-pretrain"), classifierAdvice),
} as const;

/** The stages that train a classifier. */
export type ClassifierStageName = keyof typeof classifierOptions;

/**
 * The options of a run with every default filled in.
 * @interface
 */
export type FinetuneRunConfig = ReturnType<typeof classifierOptions.finetune.parse>;

/**
 * The options as a user gives them: only `data` is required.
 * @interface
 */
export type FinetuneRunOptions = zod.input<zod.ZodObject<ReturnType<typeof classifierShape>>>;

/**
 * Checks options and fills in defaults.
 * @param op  where the options come from, for messages
 * @throws VideomaeError that names the option, what was expected and, for a misspelt one, the nearest real one.
 */
export function parseFinetuneConfig(
  options: unknown,
  stage: ClassifierStageName = "finetune",
  op?: string,
): FinetuneRunConfig {
  return classifierOptions[stage].parse(options, op);
}

/** Turns epochs into updates, for data that makes `stepsPerEpoch` updates an epoch; a fraction with accumulation. */
export function planFinetuneSteps(config: FinetuneRunConfig, stepsPerEpoch: number): StepPlan {
  return stepPlan(config, stepsPerEpoch, pace);
}
