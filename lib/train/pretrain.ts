// Masked pre-training (VideoMAE V2, section 3): the recipe behind `videomae pretrain`.
// A run is a pure function of its options and data: clips, masks and initial weights are keyed by the seed, so a run
// that is stopped and resumed goes on with the same numbers.
import { mkdirSync } from "node:fs";
import path from "node:path";
import { backward } from "../autograd/backward.js";
import { compileStep } from "../autograd/compile-step.js";
import { withRandomKey } from "../autograd/random-key.js";
import {
  type PretrainRunConfig,
  type PretrainRunOptions,
  parsePretrainConfig,
  planSteps,
} from "../config/pretrain-config.js";
import { type BadFile, loader, VideoDataset } from "../data/loader.js";
import { VideomaeError } from "../errors.js";
import { latestCheckpoint } from "../io/checkpoint-folder.js";
import { keepRecords, openJsonl } from "../log/jsonl.js";
import { type DualMask, dualMask } from "../masking/dual-mask.js";
import { type PretrainModel, pretrainModel } from "../models/pretrain.js";
import { publishedGrid, tokenGrid } from "../models/sizes.js";
import { AdamW, parameterGroups } from "../optim/adamw.js";
import { cosineSchedule, scaleLearningRate } from "../optim/schedule.js";
import { emptyCache, threads } from "../tensor/memory.js";
import { Tensor } from "../tensor/tensor.js";
import { differences, numericsOf, restorePretrainState, savePretrainState } from "./pretrain-state.js";
import { storeRecipe } from "./run-recipe.js";

/** Consecutive updates with a gradient that is not finite before a run gives up. */
const maximalSkips = 10;

/** One update, as it is logged. */
export interface PretrainStep {
  /** Updates done, this one included. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly loss: number;
  /** Global L2 norm of the gradients before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Clips of this update. */
  readonly clips: number;
  /** Milliseconds this update waited for data. */
  readonly waitedMs: number;
  /** Whether the gradient was not finite, so that nothing was updated. */
  readonly skipped: boolean;
}

/** How a run reports, and how it is asked to stop. */
export interface PretrainControl {
  /** Stops after the update under way, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onStart?: (run: { start: number; steps: number; clips: number; model: PretrainModel }) => void;
  readonly onStep?: (step: PretrainStep) => void;
  readonly onBadFile?: (file: BadFile) => void;
  /** Something the user should know, e.g. that a resumed run has other options than before. */
  readonly onNote?: (note: string) => void;
  readonly onCheckpoint?: (path: string) => void;
}

export interface PretrainSummary {
  readonly steps: number;
  /** Updates done; fewer than `steps` when the run was asked to stop. */
  readonly done: number;
  /** The newest checkpoint. */
  readonly checkpoint: string;
  readonly log: string;
}

/**
 * Pre-trains a model and leaves checkpoints and a log in `options.out`.
 * @throws VideomaeError for bad options or data, and when gradients stay non-finite
 */
export async function pretrain(options: PretrainRunOptions, control: PretrainControl = {}): Promise<PretrainSummary> {
  const config = parsePretrainConfig(options);
  if (config.threads > 0) threads(config.threads);
  using model = modelOf(config);
  const masks = masksOf(config, model);
  using optimizer = new AdamW(parameterGroups(model), {
    betas: config.betas,
    eps: config.eps,
    weightDecay: config.weightDecay,
    clipNorm: config.clipNorm,
  });
  emptyCache(); // the parameters' own blocks, now that the optimiser has gathered them
  const { image, frames } = model.config;
  const clip = { frames, stride: config.stride, size: image, views: config.views };
  const dataset = VideoDataset.from(config.data, {
    root: config.root || undefined,
    framesTemplate: config.framesTemplate,
    ...clip,
  });
  const { batchSize, workers, seed, decoder, maxBadFraction } = config;
  const { stepsPerEpoch } = loader(dataset, { batchSize });
  const plan = planSteps(config, stepsPerEpoch / config.accumulate);
  const schedule = schedulesOf(config, plan);

  mkdirSync(config.out, { recursive: true });
  const resumed = checkpointToResume(config);
  const numerics = await numericsOf(decoder);
  const restored = resumed === undefined ? undefined : restorePretrainState(resumed, model, optimizer);
  const start = restored?.step ?? 0;
  const logFile = path.join(config.out, "log.jsonl");
  keepRecords(logFile, ({ step }) => typeof step !== "number" || step <= start);
  using log = openJsonl(logFile);
  const notes = restored === undefined ? [] : differences(restored, config, numerics);
  const changes = storeRecipe(config, restored !== undefined);
  for (const note of [...positionNotes(config, model), ...changes, ...notes]) {
    log.write({ event: "note", note });
    control.onNote?.(note);
  }
  control.onStart?.({ start, steps: plan.steps, clips: dataset.length, model });

  const { accumulate, update } = stepsOf(config, model, optimizer);
  using _accumulate = accumulate;
  using _update = update;
  const batches = loader(dataset, {
    batchSize,
    workers,
    seed,
    decoder,
    maxBadFraction,
    startStep: start * config.accumulate,
    steps: (plan.steps - start) * config.accumulate,
    onBadFile: (file) => {
      log.write({ event: "bad file", ...file });
      control.onBadFile?.(file);
    },
  });

  let [done, skips, saved] = [start, 0, resumed ?? ""];
  const save = (epoch: number) => {
    saved = savePretrainState({ config, step: done, epoch, numerics }, model, optimizer);
    control.onCheckpoint?.(saved);
  };
  let sum = nothing;
  let epoch = 0;
  for await (using batch of batches) {
    epoch = batch.epoch;
    const { visible, decoded } = masks.sample(batch);
    using _visible = visible;
    using _decoded = decoded;
    const inputs = { video: batch.video, visible, decoded };
    const key = { seed: config.seed, update: done, microStep: sum.microSteps };
    const add = async (loss: Tensor) => ({
      loss: sum.loss + (await loss.item()) / config.accumulate,
      clips: sum.clips + batch.keys.length,
      waitedMs: sum.waitedMs + batch.waitedMs,
      microSteps: sum.microSteps + 1,
    });
    if (sum.microSteps < config.accumulate - 1) {
      sum = await add(withRandomKey(key, () => accumulate(inputs, undefined)).loss);
      continue;
    }
    const values = schedule(done);
    const results = withRandomKey(key, () => update(inputs, values));
    const { microSteps: _, ...total } = await add(results.loss);
    sum = nothing;
    done++;
    const step: PretrainStep = {
      step: done,
      steps: plan.steps,
      epoch,
      ...total,
      ...values,
      gradientNorm: await results.gradientNorm.item(),
      skipped: (await results.skipped.item()) !== 0,
    };
    skips = step.skipped ? skips + 1 : 0;
    control.onStep?.(step);
    const stopping = control.signal?.aborted ?? false;
    if (step.skipped || stopping || done % config.logEvery === 0 || done === plan.steps) log.write({ ...step });
    if (skips >= maximalSkips) throw diverged(step);
    if (done % plan.saveEvery === 0 || done === plan.steps || stopping) save(epoch);
    if (stopping) break;
  }
  return { steps: plan.steps, done, checkpoint: saved, log: logFile };
}

/** The model that a run's options describe, with fresh weights. The caller disposes of it. */
export function modelOf(config: PretrainRunConfig): PretrainModel {
  const { image, patch, frames, tubelet, width, depth, heads, decoderWidth, decoderDepth, decoderHeads } = config;
  const { dropPath, normalizeTarget, seed, recompute, position } = config;
  const encoder = { image, patch, frames, tubelet, width, depth, heads, dropPath };
  const decoder = { decoderWidth, decoderDepth, decoderHeads, normalizeTarget };
  return pretrainModel(config.model, { seed, recompute, position, ...encoder, ...decoder });
}

/** What to say of the positional table: nothing where the grid is that of the published models. */
function positionNotes({ position }: PretrainRunConfig, model: PretrainModel): string[] {
  const { t, h, w } = tokenGrid(model.config);
  const usual = tokenGrid(publishedGrid(model.config));
  if (t === usual.t && h === usual.h && w === usual.w) return [];
  const ways = {
    generate: "a sinusoid made for this grid",
    official: "the published code's interpolation",
    interpolate: `the table of ${usual.t} x ${usual.h} x ${usual.w} tokens resized`,
  };
  return [`positional table for ${t} x ${h} x ${w} tokens: ${ways[position]}`];
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

/** Learning rate and weight decay by update (spec 5.1, 5.2). */
function schedulesOf(config: PretrainRunConfig, plan: { steps: number; warmupSteps: number }) {
  const scaled = (rate: number) => scaleLearningRate(rate, config.batchSize * config.accumulate);
  const rate = cosineSchedule({
    base: scaled(config.lr),
    final: scaled(config.minLr),
    steps: plan.steps,
    warmupSteps: plan.warmupSteps,
    warmupStart: scaled(config.warmupLr),
  });
  const { weightDecay, weightDecayEnd = weightDecay } = config;
  const decay = cosineSchedule({ base: weightDecay, final: weightDecayEnd, steps: plan.steps });
  return (step: number) => ({ learningRate: rate.at(step), weightDecay: decay.at(step) });
}

interface StepValues {
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** What the micro-batches of an update have added up to. */
const nothing = { loss: 0, clips: 0, waitedMs: 0, microSteps: 0 };

/** The two steps: one adds a micro-batch's gradients, the other does so and updates. */
function stepsOf(config: PretrainRunConfig, model: PretrainModel, optimizer: AdamW) {
  type Inputs = { video: Tensor; visible: Tensor; decoded: Tensor };
  const gradients = ({ video, visible, decoded }: Inputs) => {
    const loss = model.loss(video, { visible, decoded });
    backward(loss, Tensor.fromArray([1 / config.accumulate], [], "f32"));
    return loss;
  };
  return {
    accumulate: compileStep((inputs: Inputs, _: undefined) => ({ loss: gradients(inputs) })),
    update: compileStep((inputs: Inputs, values: StepValues) => ({
      loss: gradients(inputs),
      ...optimizer.step(values),
    })),
  };
}

function checkpointToResume(config: PretrainRunConfig): string | undefined {
  if (typeof config.resume === "string") return config.resume;
  return config.resume ? latestCheckpoint(config.out)?.path : undefined;
}

function diverged(step: PretrainStep): VideomaeError {
  return new VideomaeError({
    op: `pretrain step ${step.step}`,
    expected: "a finite gradient",
    got: `${maximalSkips} updates in a row without one; the last loss was ${step.loss}`,
    hint: "lower --lr, lengthen the warm-up, or clip gradients with --clip-norm",
  });
}
