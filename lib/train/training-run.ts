// A training run of any stage, from its folder to its summary: the lock, the checkpoint to go on from, options and notes,
// the loader, guards, checkpoints, and between them the loop. A stage describes what it trains by a `RunRecipe`
// (lib/train/pretrain.ts is the shortest); nothing here knows models or losses.
// A run is a pure function of its options and data: clips, inputs and initial weights are keyed by the seed, so a run that
// is stopped and resumed goes on with the same numbers.
import path from "node:path";
import type { StepInputs } from "../autograd/compile-step.js";
import type { RecipeBook } from "../config/recipe-book.js";
import type { RunConfig, StepPlan } from "../config/run-options.js";
import {
  type BadFile,
  type ClipBatch,
  type Loader,
  type LoaderOptions,
  loader,
  type PartReport,
  type VideoDataset,
} from "../data/loader.js";
import { VideomaeError } from "../errors.js";
import type { EncodedPicture } from "../log/event-file.js";
import { AdamW } from "../optim/adamw.js";
import { cosineSchedule, scaleLearningRate } from "../optim/schedule.js";
import { emptyCache } from "../tensor/memory.js";
import { CheckpointSaver } from "./checkpoint-saver.js";
import { Guards } from "./guards.js";
import { machineOf } from "./machine.js";
import { numericsOf, withKernelsFor, withKernelsUsed } from "./numerics.js";
import { averageOf, type Objective } from "./objective.js";
import { procedureOf } from "./procedure.js";
import { QuarantineList } from "./quarantine-list.js";
import { RunEvents } from "./run-events.js";
import { continueFolder, openResumePoint, prepareFolder } from "./run-folder.js";
import { lockFolder } from "./run-lock.js";
import { RunLog } from "./run-log.js";
import { storeRecipe } from "./run-recipe.js";
import {
  differences,
  listHash,
  restoreRun,
  type Schedules,
  type Stage,
  saveRun,
  type TrainedModel,
} from "./run-state.js";
import { type TrainingStep, train } from "./training-loop.js";

/** How a run reports, and how it is asked to stop. */
export interface RunControl<M> {
  /** Stops the run: after the update under way, or at once while it starts or waits for data; with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Called before the first update: `start` updates are done of `steps`, from `clips` videos. */
  readonly onStart?: (run: { start: number; steps: number; clips: number; model: M }) => void;
  /** Called after every update. */
  readonly onStep?: (step: TrainingStep) => void;
  /** Called once for every file that cannot be read; another takes its place. */
  readonly onBadFile?: (file: BadFile) => void;
  /** Something the user should know, e.g. that a resumed run has other options than before. */
  readonly onNote?: (note: string) => void;
  /** Called when a checkpoint has been written, with its path. */
  readonly onCheckpoint?: (path: string) => void;
  /** The model was measured, which is logged too. */
  readonly onValidation?: (step: number, measured: Measured) => void;
}

/** How good a model is at what it is trained for. */
export interface Measured {
  /** What the best checkpoint is chosen by: the fraction of clips that were taken for another class. */
  readonly error: number;
  /** What the log says, such as accuracies. */
  readonly fields: Readonly<Record<string, number>>;
}

/** What became of a run. */
export interface RunSummary {
  readonly steps: number;
  /** Updates done; fewer than `steps` when the run was asked to stop. */
  readonly done: number;
  /** Updates among them that were skipped, because something was not finite. */
  readonly skipped: number;
  /** The newest checkpoint; "" when there is none yet. */
  readonly checkpoint: string;
  /** The update after which the model was last measured. */
  readonly validated?: number;
  readonly log: string;
  /** What was read of each part of the data. */
  readonly data: readonly PartReport[];
}

/** A picture as TensorBoard shows it. */
export interface NamedPicture extends EncodedPicture {
  readonly name: string;
}

/** Gives batches, and what a checkpoint and the log are told of them. */
export type BatchSource = Pick<Loader, "stepsPerEpoch" | "quarantine" | "report"> & AsyncIterable<ClipBatch>;

/** What a stage trains, and on what. */
export interface RunRecipe<C extends RunConfig, M extends TrainedModel, I extends StepInputs> {
  readonly stage: Stage<C, M["config"]>;
  readonly book: RecipeBook<Partial<C>>;
  readonly config: C;
  /** Turns epochs into updates, for data that makes so many updates an epoch. */
  plan(stepsPerEpoch: number): StepPlan;
  readonly objective: Objective<M, I>;
  readonly dataset: VideoDataset;
  /** What batches are made by; default the loader of the data set. */
  readonly batches?: (options: LoaderOptions) => BatchSource;
  /** Makes inputs of a batch; tensors among them that are not the batch's own are disposed of after the step. */
  inputsOf(batch: ClipBatch): I;
  /** What the user should know of model and data. */
  readonly notes: readonly string[];
  /** Pictures of what the model has learnt, where it can be seen; drawn before each regular save. */
  pictures?(): Promise<readonly NamedPicture[]>;
  /** Gives the model of a run that begins its first weights. Returns what the user should know. */
  initialize?(): Promise<readonly string[]>;
  /** Names of a classifier's classes, by number. */
  readonly classes?: readonly string[];
  readonly validation?: Validation;
}

/** What measures the model of a run. */
export interface Validation {
  /** Epochs between two. */
  readonly epochs: number;
  /** Measures the model as it is; undefined when it was asked to stop. */
  measure(signal: AbortSignal | undefined): Promise<Measured | undefined>;
}

/**
 * Trains, and leaves checkpoints and a log in `config.out`.
 * @throws VideomaeError for bad options or data, when updates are skipped too often in a row, and when checkpoints
 *   cannot be saved
 */
export async function runTraining<C extends RunConfig, M extends TrainedModel, I extends StepInputs>(
  recipe: RunRecipe<C, M, I>,
  control: RunControl<M> = {},
): Promise<RunSummary> {
  const { stage, config, objective, dataset } = recipe;
  const { model } = objective;
  const { out: folder, batchSize, accumulate, seed } = config;
  using optimizer = new AdamW(objective.groups, {
    betas: config.betas,
    eps: config.eps,
    weightDecay: config.weightDecay,
    clipNorm: config.clipNorm,
  });
  const { device } = optimizer;
  emptyCache(device); // the parameters' own blocks, now that the optimiser has gathered them
  const { batches: load = (options: LoaderOptions) => loader(dataset, options) } = recipe;
  const updatesPerEpoch = load({ batchSize }).stepsPerEpoch / accumulate;
  const plan = recipe.plan(updatesPerEpoch);
  const schedules = schedulesOf(config, plan);
  const numerics = await numericsOf(config);
  const list = { videos: dataset.length, list: listHash(dataset.sources) };

  const leftovers = prepareFolder(folder);
  using _lock = lockFolder(folder);
  const { checkpoint, notes: damage } = openResumePoint(folder, config.resume);
  const origin = checkpoint ? [] : ((await recipe.initialize?.()) ?? []);
  using average = averageOf(objective, optimizer); // begins as the weights are now
  const before = checkpoint && restoreRun(checkpoint, stage, model, optimizer, average?.ema);
  if (before) refuseOtherClasses(before, recipe.classes);
  const start = before?.step ?? 0;
  const { log: file, best, notes: moved } = continueFolder(folder, before, config.resume === false);
  const onNote = (note: string) => control.onNote?.(note);
  using events = config.tensorboard ? new RunEvents(folder, start, onNote) : undefined;
  using log = new RunLog(file, onNote, events);
  const changed = before
    ? differences(
        before,
        { config, numerics: withKernelsFor(numerics, before.numerics), schedules, data: list },
        stage.neutral(),
      )
    : [];
  for (const note of [
    ...leftovers,
    ...damage,
    ...moved,
    ...origin,
    ...recipe.notes,
    ...dataNotes(config, dataset),
    ...storeRecipe(config, recipe.book, before !== undefined),
    ...changed,
  ]) {
    log.event("note", note, { note });
  }
  log.write({ event: "machine", ...machineOf(device) });
  if (before) log.write({ event: "resumed", update: start, checkpoint: before.path });
  control.onStart?.({ start, steps: plan.steps, clips: dataset.length, model });

  using quarantined = new QuarantineList(path.join(folder, "quarantine.jsonl"), (note) =>
    log.event("note", note, { note }),
  );
  const firstBatch = before?.data.nextBatch ?? 0;
  const { workers, decoder, decodeTimeout, maxBadFraction } = config;
  const batches = load({
    ...{ batchSize, seed, workers, decoder, decodeTimeout, maxBadFraction, quarantine: before?.data.quarantine },
    startStep: firstBatch,
    steps: Math.max(0, plan.steps - start) * accumulate,
    onBadFile: (file) => {
      log.write({ event: "bad file", ...file });
      quarantined.add(file);
      control.onBadFile?.(file);
    },
  });
  // As of the last update: a checkpoint counts no video of an update that was begun. Files found bad since then, while
  // batches were read ahead, are in the log that goes with it, so they are in the checkpoint too.
  let counted = batches.quarantine();
  const guards = new Guards({ maxSkips: config.maxSkips, spikeRatio: config.spikeRatio }, before?.guards);
  const saver = new CheckpointSaver({
    ...{ folder, keep: config.keep, log, resumed: before, best, onSaved: control.onCheckpoint },
    write: (path, record) => {
      const nextBatch = firstBatch + (record.step - start) * accumulate;
      const quarantine = { ...counted, files: batches.quarantine().files };
      const data = { nextBatch, ...list, quarantine };
      const used = withKernelsUsed(numerics);
      const run = { stage: stage.name, config, schedules, data, guards: guards.state, numerics: used };
      const { classes } = recipe;
      saveRun(path, record, { ...run, classes, validated }, model, optimizer, average?.ema);
    },
  });
  let validated = before?.validated;
  const every = Math.max(1, Math.round((recipe.validation?.epochs ?? 0) * updatesPerEpoch));
  const validation = recipe.validation && {
    due: (step: number) => (step % every === 0 || step === plan.steps) && step !== validated,
    measure: async (step: number, epoch: number) => {
      using _averages = average?.ema.apply();
      const measured = await recipe.validation!.measure(control.signal);
      if (measured === undefined) return undefined;
      validated = step;
      log.write({ event: "validation", update: step, epoch, ...measured.fields });
      control.onValidation?.(step, measured);
      return measured.error;
    },
  };
  using procedure = procedureOf(objective, recipe.inputsOf, optimizer, accumulate, average);
  const rate = cosineSchedule(schedules.learningRate);
  const decay = cosineSchedule(schedules.weightDecay);
  const done = await train({
    ...{ procedure, batches, accumulate, start, startEpoch: before?.epoch ?? 0, steps: plan.steps, seed },
    ...{ validation, guards, saver, log, folder },
    late: device !== "cpu",
    schedule: (update) => ({ learningRate: rate.at(update), weightDecay: decay.at(update) }),
    onUpdate: () => {
      counted = batches.quarantine();
      return countsOf(batches.report());
    },
    beforeSave: async (step) => {
      if (events) for (const { name, ...drawn } of (await recipe.pictures?.()) ?? []) events.picture(step, name, drawn);
    },
    ...{ logEvery: config.logEvery, saveEvery: plan.saveEvery, onStep: control.onStep, signal: control.signal },
  });
  const data = batches.report();
  if (data.length > 1 || data.some(({ bad }) => bad > 0)) log.write({ event: "data read", parts: data });
  const { skipped } = guards.state;
  return { steps: plan.steps, done, skipped, checkpoint: saver.saved, validated, log: log.path, data };
}

/** Class numbers mean what they meant before, or nothing. */
function refuseOtherClasses(before: { classes?: readonly string[]; path: string }, now?: readonly string[]): void {
  const [own, stored] = [now ?? [], before.classes ?? []];
  const numbers = Array.from({ length: Math.max(own.length, stored.length) }, (_, i) => i);
  const other = numbers.find((i) => own[i] !== stored[i]);
  if (other === undefined) return;
  const show = (name: string | undefined) => (name === undefined ? "nothing" : `"${name}"`);
  throw new VideomaeError({
    op: before.path,
    expected: `${own.length} classes with ${show(own[other])} as class ${other}, as the data has`,
    got: `${stored.length} with ${show(stored[other])} there`,
    hint: "resume with the data and class names the run was started with, or choose another folder with --out",
  });
}

/** What to say of the data: the shares of a mixture, and what was left out. */
function dataNotes({ exclude }: RunConfig, { parts, excluded }: VideoDataset): string[] {
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

/** Learning rate and weight decay by update (spec 5.1, 5.2). */
function schedulesOf(config: RunConfig, plan: StepPlan): Schedules {
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
