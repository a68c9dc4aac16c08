// Masked pre-training (VideoMAE V2, section 3): the recipe behind `videomae pretrain`.
// A run is a pure function of its options and data: clips, masks and initial weights are keyed by the seed, so a run
// that is stopped and resumed goes on with the same numbers.
import path from "node:path";
import {
  type PretrainRunConfig,
  type PretrainRunOptions,
  parsePretrainConfig,
  planSteps,
  type StepPlan,
} from "../config/pretrain-config.js";
import { type BadFile, type ClipBatch, loader, type PartReport, VideoDataset } from "../data/loader.js";
import { type DualMask, dualMask } from "../masking/dual-mask.js";
import { type PretrainModel, pretrainModel } from "../models/pretrain.js";
import { publishedGrid, tokenGrid } from "../models/sizes.js";
import { AdamW, parameterGroups } from "../optim/adamw.js";
import { cosineSchedule, scaleLearningRate } from "../optim/schedule.js";
import { emptyCache, threads } from "../tensor/memory.js";
import type { Tensor } from "../tensor/tensor.js";
import { CheckpointSaver } from "./checkpoint-saver.js";
import { computeOf, openDevice } from "./compute.js";
import { Guards } from "./guards.js";
import { numericsOf } from "./numerics.js";
import { differences, listHash, restorePretrainState, type Schedules, savePretrainState } from "./pretrain-state.js";
import { QuarantineList } from "./quarantine-list.js";
import { continueFolder, openResumePoint, prepareFolder } from "./run-folder.js";
import { lockFolder } from "./run-lock.js";
import { RunLog } from "./run-log.js";
import { storeRecipe } from "./run-recipe.js";
import { type Procedure, type TrainingStep, train } from "./training-loop.js";
import { trainingSteps } from "./training-steps.js";

/** How a run reports, and how it is asked to stop. */
export interface PretrainControl {
  /** Stops the run: after the update under way, or at once while it starts or waits for data; with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onStart?: (run: { start: number; steps: number; clips: number; model: PretrainModel }) => void;
  readonly onStep?: (step: TrainingStep) => void;
  readonly onBadFile?: (file: BadFile) => void;
  /** Something the user should know, e.g. that a resumed run has other options than before. */
  readonly onNote?: (note: string) => void;
  readonly onCheckpoint?: (path: string) => void;
}

export interface PretrainSummary {
  readonly steps: number;
  /** Updates done; fewer than `steps` when the run was asked to stop. */
  readonly done: number;
  /** Updates among them that were skipped, because something was not finite. */
  readonly skipped: number;
  /** The newest checkpoint; "" when there is none yet. */
  readonly checkpoint: string;
  readonly log: string;
  /** What was read of each part of the data. */
  readonly data: readonly PartReport[];
}

/**
 * Pre-trains a model and leaves checkpoints and a log in `options.out`.
 * @throws VideomaeError for bad options or data, when updates are skipped too often in a row, and when checkpoints
 *   cannot be saved
 */
export async function pretrain(options: PretrainRunOptions, control: PretrainControl = {}): Promise<PretrainSummary> {
  const config = parsePretrainConfig(options);
  const { out: folder, batchSize, accumulate, seed } = config;
  if (config.threads > 0) threads(config.threads);
  openDevice(computeOf(config).device);
  using model = modelOf(config);
  using optimizer = new AdamW(parameterGroups(model), {
    betas: config.betas,
    eps: config.eps,
    weightDecay: config.weightDecay,
    clipNorm: config.clipNorm,
  });
  emptyCache(model.device); // the parameters' own blocks, now that the optimiser has gathered them
  const dataset = datasetOf(config, model);
  const plan = planSteps(config, loader(dataset, { batchSize }).stepsPerEpoch / accumulate);
  const schedules = schedulesOf(config, plan);
  const numerics = await numericsOf(config);
  const list = { videos: dataset.length, list: listHash(dataset.sources) };

  const leftovers = prepareFolder(folder);
  using _lock = lockFolder(folder);
  const { checkpoint, notes: damage } = openResumePoint(folder, config.resume);
  const before = checkpoint && restorePretrainState(checkpoint, model, optimizer);
  const start = before?.step ?? 0;
  const { log: file, best, notes: moved } = continueFolder(folder, before, config.resume === false);
  using log = new RunLog(file, (note) => control.onNote?.(note));
  const changed = before ? differences(before, { config, numerics, schedules, data: list }) : [];
  for (const note of [
    ...leftovers,
    ...damage,
    ...moved,
    ...positionNotes(config, model),
    ...dataNotes(config, dataset),
    ...storeRecipe(config, before !== undefined),
    ...changed,
  ]) {
    log.event("note", note, { note });
  }
  if (before) log.write({ event: "resumed", update: start, checkpoint: before.path });
  control.onStart?.({ start, steps: plan.steps, clips: dataset.length, model });

  using quarantined = new QuarantineList(path.join(folder, "quarantine.jsonl"), (note) =>
    log.event("note", note, { note }),
  );
  const firstBatch = before?.data.nextBatch ?? 0;
  const { workers, decoder, decodeTimeout, maxBadFraction } = config;
  const batches = loader(dataset, {
    ...{ batchSize, seed, workers, decoder, decodeTimeout, maxBadFraction, quarantine: before?.data.quarantine },
    startStep: firstBatch,
    steps: Math.max(0, plan.steps - start) * accumulate,
    onBadFile: (file) => {
      log.write({ event: "bad file", ...file });
      quarantined.add(file);
      control.onBadFile?.(file);
    },
  });
  // As of the last update: a checkpoint has no part of an update that was begun.
  let known = batches.quarantine();
  const guards = new Guards({ maxSkips: config.maxSkips, spikeRatio: config.spikeRatio }, before?.guards);
  const saver = new CheckpointSaver({
    ...{ folder, keep: config.keep, log, resumed: before, best, onSaved: control.onCheckpoint },
    write: (path, record) => {
      const nextBatch = firstBatch + (record.step - start) * accumulate;
      const data = { nextBatch, ...list, quarantine: known };
      const run = { config, schedules, data, guards: guards.state, numerics };
      savePretrainState(path, record, run, model, optimizer);
    },
  });
  using procedure = procedureOf(config, model, optimizer);
  const rate = cosineSchedule(schedules.learningRate);
  const decay = cosineSchedule(schedules.weightDecay);
  const done = await train({
    ...{ procedure, batches, accumulate, start, steps: plan.steps, seed, guards, saver, log, folder },
    late: model.device !== "cpu",
    schedule: (update) => ({ learningRate: rate.at(update), weightDecay: decay.at(update) }),
    onUpdate: () => {
      known = batches.quarantine();
      return countsOf(batches.report());
    },
    ...{ logEvery: config.logEvery, saveEvery: plan.saveEvery, onStep: control.onStep, signal: control.signal },
  });
  const data = batches.report();
  if (data.length > 1 || data.some(({ bad }) => bad > 0)) log.write({ event: "data read", parts: data });
  return { steps: plan.steps, done, skipped: guards.state.skipped, checkpoint: saver.saved, log: log.path, data };
}

function datasetOf(config: PretrainRunConfig, model: PretrainModel): VideoDataset {
  const { root, exclude, framesTemplate, stride, rate, pixelAspect, views, minFrames } = config;
  const { image, frames } = model.config;
  return VideoDataset.from(config.data, {
    ...{ root: root || undefined, exclude: exclude || undefined, framesTemplate },
    ...{ frames, stride, rate, pixelAspect, size: image, views, minFrames },
  });
}

/** What to say of the data: the shares of a mixture, and what was left out. */
function dataNotes({ exclude }: PretrainRunConfig, { parts, excluded }: VideoDataset): string[] {
  const shares = parts.map(({ name, count, share }) => `${name}: ${count} videos, ${(100 * share).toFixed(1)} %`);
  const left = exclude === "" ? [] : [`${excluded} videos left out because ${exclude} names them`];
  return parts.length > 1 ? [...shares, ...left] : left;
}

/** What a line of the log says of the parts of a mixture, counted from the start of the run. */
function countsOf(parts: readonly PartReport[]): { data?: object } {
  if (parts.length === 1) return {};
  return {
    data: Object.fromEntries(parts.map(({ name, videos, replaced, bad }) => [name, { videos, replaced, bad }])),
  };
}

/** The model that a run's options describe, with fresh weights. The caller disposes of it. */
export function modelOf(config: PretrainRunConfig): PretrainModel {
  const { image, patch, frames, tubelet, width, depth, heads, decoderWidth, decoderDepth, decoderHeads } = config;
  const { dropPath, normalizeTarget, seed, recompute, position } = config;
  const encoder = { image, patch, frames, tubelet, width, depth, heads, dropPath };
  const decoder = { decoderWidth, decoderDepth, decoderHeads, normalizeTarget };
  return pretrainModel(config.model, { ...computeOf(config), seed, recompute, position, ...encoder, ...decoder });
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
function schedulesOf(config: PretrainRunConfig, plan: StepPlan): Schedules {
  const scaled = (rate: number) => scaleLearningRate(rate, config.batchSize * config.accumulate);
  const { weightDecay, weightDecayEnd = weightDecay } = config;
  return {
    learningRate: {
      base: scaled(config.lr),
      final: scaled(config.minLr),
      steps: plan.steps,
      warmupSteps: plan.warmupSteps,
      warmupStart: scaled(config.warmupLr),
    },
    weightDecay: { base: weightDecay, final: weightDecayEnd, steps: plan.steps },
  };
}

/** What a batch does to the model: masks are drawn for it, and the loss is that of the hidden pixels. */
function procedureOf(config: PretrainRunConfig, model: PretrainModel, optimizer: AdamW): Procedure & Disposable {
  const masks = masksOf(config, model);
  const names = model.namedParameters().map(([name]) => name);
  type Inputs = { video: Tensor; visible: Tensor; decoded: Tensor };
  const steps = trainingSteps(
    ({ video, visible, decoded }: Inputs) => model.loss(video, { visible, decoded }),
    optimizer,
    config.accumulate,
  );
  const withMasks = <T>(batch: ClipBatch, step: (inputs: Inputs) => T): T => {
    const { visible, decoded } = masks.sample(batch);
    using _visible = visible;
    using _decoded = decoded;
    return step({ video: batch.video, visible, decoded });
  };
  return {
    accumulate: (batch) => withMasks(batch, (inputs) => steps.accumulate(inputs, undefined)),
    update: (batch, values) => withMasks(batch, (inputs) => steps.update(inputs, values)),
    blamed: (nonFinite) => {
      const bad = new Set(optimizer.names.filter((_, i) => nonFinite[i] > 0));
      return names.filter((name) => bad.has(name));
    },
    [Symbol.dispose]: () => steps[Symbol.dispose](),
  };
}
