// The options of a probe on the features of a frozen encoder.

import type * as zod from "zod";
import { z } from "../zod.js";
import { RecipeBook } from "./recipe-book.js";
import {
  adamOptions,
  batchOptions,
  betasOption,
  computeOptions,
  count,
  keepingOptions,
  labelledReadingOptions,
  lengthOptions,
  type Pace,
  path,
  rateOptions,
  readingOptions,
  type StepPlan,
  stepPlan,
  weightDecayOptions,
} from "./run-options.js";
import { StageOptions } from "./stage-options.js";

const pace: Pace = { lr: 1e-3, minLr: 0, epochs: 100, warmupEpochs: 5 };

const shape = () => ({
  data: path().describe("labelled list, or folder with a sub-folder for each class"),
  root: z.string().default("").describe("folder that relative paths of a list file start from"),
  out: path().default("runs/probe").describe("folder for checkpoints, log, features and accuracy"),
  weights: path().describe("the encoder: the folder of a run, or a file of weights"),
  kind: z
    .enum(["linear", "attentive"])
    .default("linear")
    .describe("what is learnt: a linear layer, or attention to all tokens"),
  classes: z.string().default("").describe("file with the name of a class a line (default: a folder's own names)"),
  validation: z.string().default("").describe("labelled list or folder to measure accuracy on"),
  validateEpochs: count().default(10).describe("epochs between two measurements; each is saved"),
  features: z.string().default("").describe("folder that features are kept in, for several runs (default: in out)"),
  heads: count().optional().describe("attention heads of an attentive probe (default: the encoder's)"),
  smoothing: z.number().min(0).lt(1).default(0).describe("label smoothing"),

  ...readingOptions(),
  ...labelledReadingOptions(),
  shortSide: count().optional().describe("short side of a frame before the crop (default: the input's)"),

  ...batchOptions(),
  ...lengthOptions(pace),
  ...rateOptions(pace),
  ...weightDecayOptions(),
  weightDecay: z.number().min(0).default(0).describe("decoupled weight decay"),
  betas: betasOption([0.9, 0.999]),
  ...adamOptions(),
  ...computeOptions(),
  ...keepingOptions(),
});

export const probeOptions = new StageOptions("probe", shape, {});

/**
 * The options of a run with every default filled in.
 * @interface
 */
export type ProbeRunConfig = ReturnType<typeof probeOptions.parse>;

/**
 * The options as a user gives them: only `data` and `weights` are required.
 * @interface
 */
export type ProbeRunOptions = zod.input<zod.ZodObject<ReturnType<typeof shape>>>;

/** Probes have no named recipes; a file may hold the options of one. */
export const probeRecipes = new RecipeBook<Partial<ProbeRunOptions>>(probeOptions, {});

/**
 * Checks options and fills in defaults.
 * @param op  where the options come from, for messages
 * @throws VideomaeError that names the option, what was expected and, for a misspelt one, the nearest real one.
 */
export function parseProbeConfig(options: unknown, op?: string): ProbeRunConfig {
  return probeOptions.parse(options, op);
}

/** Turns epochs into updates, for data that makes `stepsPerEpoch` updates an epoch; a fraction with accumulation. */
export function planProbeSteps(config: ProbeRunConfig, stepsPerEpoch: number): StepPlan {
  return stepPlan(config, stepsPerEpoch, pace);
}
