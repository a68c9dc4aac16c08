// The options that every training has: one zod type with a description and a default for each, in groups that the schemas
// of the stages (lib/config/pretrain-config.ts, ...) are put together from.

import type * as zod from "zod";
import { z } from "../zod.js";

export const count = () => z.number().int().min(1);
export const fraction = () => z.number().min(0).lt(1);
export const atLeastZero = () => z.number().min(0);
export const path = () => z.string().min(1);

/** One source of a mixture; see lib/data/mixture.ts for what the fields mean. */
const dataSource = () =>
  z.strictObject({
    path: path(),
    weight: z.number().positive().optional(),
    stride: count().optional(),
    name: z.string().min(1).optional(),
    root: z.string().optional(),
    framesTemplate: z.string().min(1).optional(),
    pictures: z.enum(["start-total", "total-label"]).optional(),
    startIndex: z.number().int().min(0).optional(),
  });

/** A path, or a mixture. */
export const dataSpec = () => z.union([path(), z.array(z.union([path(), dataSource()])).min(1)]);

/** The encoder: its size, and what of it is otherwise. */
export const encoderOptions = () => ({
  model: z.string().min(1).default("vit-base").describe("vit-small, vit-base, vit-large, vit-huge or vit-giant"),
  image: count().optional().describe("side of the input in pixels (default: the model's, 224)"),
  patch: count().optional().describe("side of a patch in pixels (default: the model's, 16 or 14)"),
  tubelet: count().optional().describe("frames of a token (default: the model's, 2)"),
  frames: count().optional().describe("frames of a clip (default: the model's, 16)"),
  width: count().optional().describe("width of the encoder (default: the model's)"),
  depth: count().optional().describe("blocks of the encoder (default: the model's)"),
  heads: count().optional().describe("attention heads of the encoder (default: the model's)"),
});

export const positionOption = () =>
  z
    .enum(["generate", "official", "interpolate"])
    .default("generate")
    .describe("positional table of a grid other than 8 x 14 x 14: made for it, or the published table resized");

/** How videos are read, and which of them. */
export const readingOptions = () => ({
  decoder: z
    .enum(["auto", "node-av", "ffmpeg"])
    .default("auto")
    .describe("what decodes video; auto: node-av, else ffmpeg"),
  maxBadFraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("fraction of a data set's videos, or of 1000 videos in a row, whose being unreadable ends the run"),
  exclude: z.string().default("").describe("list of files to leave out, such as the quarantine.jsonl of another run"),
  decodeTimeout: z.number().min(0).max(86_400).default(60).describe("seconds that one video may take to read; 0: any"),
  minFrames: count().default(1).describe("videos with fewer frames are unreadable"),
  framesTemplate: z.string().min(1).optional().describe("file names of raw frames (default: img_{:05}.jpg)"),
  stride: count().default(4).describe("video frames from one clip frame to the next"),
});

/** The same of labelled lists, beside `readingOptions`. */
export const labelledReadingOptions = () => ({
  pictures: z
    .enum(["start-total", "total-label"])
    .default("total-label")
    .describe("what two numbers after a folder of raw frames are"),
  startIndex: z.number().int().min(0).default(1).describe("number of the first raw frame where a line does not say it"),
  sampling: z
    .enum(["dense", "sparse"])
    .default("dense")
    .describe("neighbouring frames, or frames over the whole video"),
});

/** What an update is made of. */
export const batchOptions = () => ({
  batchSize: count().default(64).describe("videos in a batch on one device"),
  accumulate: count().default(1).describe("batches added up before an update"),
});

export const weightDecayOptions = () => ({
  weightDecay: atLeastZero().default(0.05).describe("decoupled weight decay"),
  weightDecayEnd: atLeastZero().optional().describe("weight decay at the end (default: the same)"),
});

export const betasOption = (preset: [number, number]) =>
  z.tuple([fraction(), fraction()]).default(preset).describe("decay rates of AdamW's moments");

export const adamOptions = () => ({
  eps: z.number().positive().default(1e-8).describe("epsilon of AdamW"),
  clipNorm: z.number().positive().optional().describe("greatest norm of the gradient (default: not clipped)"),
});

/** What computes, and how. */
export const computeOptions = () => ({
  seed: z.number().int().min(0).default(0).describe("seed of everything random"),
  device: z
    .union([z.enum(["auto", "cpu", "cuda", "emu"]), z.templateLiteral(["cuda:", z.number().int().min(0)])])
    .default("auto")
    .describe("what computes: cpu, cuda, cuda:1 ...; auto: the CPU"),
  dtype: z
    .enum(["auto", "f32", "bf16"])
    .default("auto")
    .describe("what activations and matrix products are in; auto: f32 on the CPU, bf16 on a GPU"),
  recompute: z.boolean().default(false).describe("recompute blocks in the backward pass: less memory, more time"),
  workers: z.number().int().min(0).default(2).describe("threads that decode clips; 0: the main thread"),
  threads: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("threads of the CPU kernels; 0: one for each processor the process may use"),
});

/** What a run watches, and what it keeps. */
export const keepingOptions = () => ({
  maxSkips: count()
    .default(10)
    .describe("updates in a row with a loss or gradient that is not finite that end the run"),
  spikeRatio: z.number().gt(1).default(2).describe("a loss so many times the median of the last 100 is reported"),
  saveEvery: count().default(1000).describe("updates between two checkpoints"),
  saveEpochs: count().optional().describe("epochs between two checkpoints, instead of saveEvery"),
  keep: count().default(3).describe("checkpoints kept, besides the best one"),
  logEvery: count().default(10).describe("updates between two lines of the log"),
  tensorboard: z.boolean().default(true).describe("write event files for TensorBoard"),
  resume: z
    .union([z.boolean(), z.string().min(1)])
    .default(true)
    .describe("continue from the newest checkpoint in out, or from this file; false: start anew"),
});

/** How long a run goes on, and how fast it learns; the numbers are a stage's own. */
export interface Pace {
  readonly lr: number;
  readonly minLr: number;
  readonly epochs: number;
  readonly warmupEpochs: number;
}

export const lengthOptions = ({ epochs }: Pace) => ({
  epochs: count().optional().describe(`passes over the data (default ${epochs} when steps is not given)`),
  steps: count().optional().describe("updates, instead of epochs"),
});

export const rateOptions = ({ lr, minLr, warmupEpochs }: Pace) => ({
  lr: atLeastZero().default(lr).describe("learning rate for 256 videos an update; scaled by videos / 256"),
  minLr: atLeastZero().default(minLr).describe("learning rate at the end, scaled alike"),
  warmupLr: atLeastZero().default(0).describe("learning rate at the first step, scaled alike"),
  warmupEpochs: atLeastZero()
    .optional()
    .describe(`epochs of warm-up (default ${warmupEpochs}, or a tenth of a run where that is less)`),
  warmupSteps: z.number().int().min(0).optional().describe("updates of warm-up, instead of epochs"),
});

type EveryStage = {
  data: ReturnType<typeof dataSpec>;
  root: zod.ZodString;
  out: zod.ZodString;
  betas: ReturnType<typeof betasOption>;
} & ReturnType<typeof readingOptions> &
  ReturnType<typeof batchOptions> &
  ReturnType<typeof lengthOptions> &
  ReturnType<typeof rateOptions> &
  ReturnType<typeof weightDecayOptions> &
  ReturnType<typeof adamOptions> &
  ReturnType<typeof computeOptions> &
  ReturnType<typeof keepingOptions>;

/** What the options of every stage have in common, with every default filled in. */
export type RunConfig = zod.output<zod.ZodObject<EveryStage>>;

/** The updates of a run: all of them, those of the warm-up, and those from one checkpoint to the next. */
export interface StepPlan {
  readonly steps: number;
  readonly warmupSteps: number;
  readonly saveEvery: number;
}

type PlannedOptions = Pick<RunConfig, "steps" | "epochs" | "warmupSteps" | "warmupEpochs" | "saveEvery" | "saveEpochs">;

/** Turns epochs into updates, for data that makes `stepsPerEpoch` updates an epoch; a fraction with accumulation. */
export function stepPlan(config: PlannedOptions, stepsPerEpoch: number, pace: Pace): StepPlan {
  const steps = config.steps ?? Math.max(1, Math.floor((config.epochs ?? pace.epochs) * stepsPerEpoch));
  const saveEvery =
    config.saveEpochs === undefined ? config.saveEvery : Math.max(1, Math.round(config.saveEpochs * stepsPerEpoch));
  if (config.warmupSteps !== undefined) return { steps, warmupSteps: config.warmupSteps, saveEvery };
  const asked = config.warmupEpochs === undefined ? undefined : Math.round(config.warmupEpochs * stepsPerEpoch);
  const warmupSteps = asked ?? Math.min(Math.round(pace.warmupEpochs * stepsPerEpoch), Math.floor(steps / 10));
  return { steps, warmupSteps, saveEvery };
}
