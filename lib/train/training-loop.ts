// The loop of every training: batches in, updates out, with the log, the guards and the checkpoints between. What a
// batch does to a model is the procedure's business (lib/train/pretrain.ts is one); the loop knows neither models nor
// losses. It ends when all updates are done or when it is asked to, after the update under way and with a checkpoint.
import { withRandomKey } from "../autograd/random-key.js";
import type { ClipBatch } from "../data/loader.js";
import { VideomaeError } from "../errors.js";
import type { CheckpointSaver } from "./checkpoint-saver.js";
import type { Guards } from "./guards.js";
import { copyClips, type MicroBatch, MOST_DUMPS, type SuspectClips, writeIncident } from "./incident.js";
import { interruptible } from "./interruptible.js";
import type { RunLog } from "./run-log.js";
import type { MicroBatchResults, StepValues, UpdateResults } from "./training-steps.js";

/** One update, as it is logged. */
export interface TrainingStep {
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
  /** Videos of this update that stand in for a bad one. */
  readonly replaced: number;
  /** Milliseconds this update waited for data. */
  readonly waitedMs: number;
  /** Whether the loss or the gradient was not finite, so that nothing was updated. */
  readonly skipped: boolean;
}

/** What a batch does. Reading of results has begun before the next call. */
export interface Procedure {
  /** Adds the gradients of a micro-batch. */
  accumulate(batch: ClipBatch): MicroBatchResults;
  /** Adds those of the last micro-batch of an update, and updates. */
  update(batch: ClipBatch, values: StepValues): UpdateResults;
  /** Names of the parameters that the `nonFinite` of an update counts something for, in the model's order. */
  blamed(nonFinite: ArrayLike<number>): string[];
}

/** What measures a model that is being trained. */
export interface TrainingValidation {
  /** Whether the model is to be measured after this update, and has not been. */
  due(step: number): boolean;
  /** Measures it; the error, or undefined when it was asked to stop. */
  measure(step: number, epoch: number): Promise<number | undefined>;
}

export interface Training {
  readonly procedure: Procedure;
  /** `accumulate` batches an update, from that of the first update on. */
  readonly batches: AsyncIterable<ClipBatch>;
  readonly accumulate: number;
  /** Updates done before, and when all are done. */
  readonly start: number;
  readonly steps: number;
  /** Epochs begun before, default 0. */
  readonly startEpoch?: number;
  readonly seed: number;
  /** Whether results come later than calls return: on a device. */
  readonly late: boolean;
  /** The values of an update, counted from 0. */
  readonly schedule: (update: number) => StepValues;
  readonly guards: Guards;
  readonly saver: CheckpointSaver;
  readonly log: RunLog;
  /** Measures the model between updates; the best checkpoint is then that of the least error, and no longer of the loss. */
  readonly validation?: TrainingValidation;
  /** The run's folder. */
  readonly folder: string;
  readonly logEvery: number;
  readonly saveEvery: number;
  /** Called when an update is complete; what it returns goes into the update's line of the log. */
  readonly onUpdate?: () => object;
  readonly onStep?: (step: TrainingStep) => void;
  readonly signal?: AbortSignal;
}

/** A micro-batch whose work has begun; of the last one of an update also what the update did. */
interface Begun {
  readonly batch: ClipBatch;
  readonly loss: Promise<number>;
  readonly update?: {
    /** Updates begun, this one included. */
    readonly step: number;
    readonly values: StepValues;
    readonly skipped: Promise<number>;
    readonly gradientNorm: Promise<number>;
    readonly nonFinite: Promise<ArrayLike<number>>;
    /** What `onUpdate` had to say. */
    readonly more: object | undefined;
  };
}

/**
 * Trains, and returns the number of updates done. Data that fails leaves a checkpoint too.
 *
 * Where steps are late (a device computes them), the next one is begun before the results of the last are looked at, so
 * the device never waits for this thread: logs, guards and `onStep` are one micro-batch behind. A skipped update is skipped
 * where it is computed, at once. Before a checkpoint is saved, and at the end, nothing is behind.
 * @throws VideomaeError when too many updates are skipped in a row, or checkpoints cannot be saved
 */
export async function train(training: Training): Promise<number> {
  const { procedure, accumulate, steps, seed, schedule, guards, saver, log, saveEvery } = training;
  let begun = training.start;
  let done = training.start;
  let microStep = 0;
  let epoch = training.startEpoch ?? 0;
  let sum = nothing;
  let behind: Begun | undefined;
  // Gradients of an update that is not finished are dropped: it will be made anew.
  const saveProgress = (last: boolean) => {
    if (done > training.start && !saver.has(done)) saver.save(done, epoch, { last });
  };
  const validates = (step: number) => training.validation?.due(step) ?? false;
  const saves = (step: number) => step % saveEvery === 0 || step === steps;
  const due = (step: number) => saves(step) || validates(step);
  // What was measured is saved, so that the best is there and nothing is measured again.
  const conclude = async (step: number) => {
    const measured = validates(step) ? await training.validation?.measure(step, epoch) : undefined;
    if (!saves(step) && measured === undefined) return;
    saver.save(step, epoch, { loss: training.validation ? measured : guards.smoothedLoss, last: step === steps });
  };

  const begin = (batch: ClipBatch): Begun => {
    const key = { seed, update: begun, microStep };
    if (microStep < accumulate - 1) {
      microStep++;
      return settledLater({ batch, loss: withRandomKey(key, () => procedure.accumulate(batch)).loss.item() });
    }
    const values = schedule(begun);
    const results = withRandomKey(key, () => procedure.update(batch, values));
    microStep = 0;
    begun++;
    return settledLater({
      batch,
      loss: results.loss.item(),
      update: {
        ...{ step: begun, values, more: training.onUpdate?.() },
        ...{ skipped: results.skipped.item(), gradientNorm: results.gradientNorm.item() },
        nonFinite: results.nonFinite.read(),
      },
    });
  };

  const finish = async ({ batch: held, loss, update }: Begun): Promise<void> => {
    using batch = held;
    sum = add(sum, batch, await loss, guards);
    if (update === undefined) return;
    const { clips, replaced, waitedMs, microBatches, suspect } = sum;
    sum = nothing;
    done = update.step;
    const skipped = (await update.skipped) !== 0;
    const step: TrainingStep = {
      step: done,
      steps,
      epoch: batch.epoch,
      loss: microBatches.reduce((total, { loss }) => total + loss, 0) / accumulate,
      clips,
      replaced,
      waitedMs,
      ...update.values,
      gradientNorm: await update.gradientNorm,
      skipped,
    };
    if (skipped) {
      const parameters = procedure.blamed(await update.nonFinite);
      const toDump = () => suspect ?? copyClips(batch, microBatches.length - 1);
      takeSkipped(training, step, parameters, microBatches, toDump);
    } else takeLoss(training, step);
    training.onStep?.(step);
    if (skipped || done % training.logEvery === 0 || done === steps) log.write({ ...step, ...update.more });
    guards.check(done, step.loss);
    if (due(done)) await conclude(done);
  };
  const catchUp = async () => {
    const last = behind;
    behind = undefined;
    if (last !== undefined) await finish(last);
  };

  if (training.start > 0 && validates(training.start)) await conclude(training.start);

  await using batches = interruptible(training.batches, training.signal);
  try {
    for (;;) {
      const batch = await batches.next().catch(async (error) => {
        await catchUp();
        saveProgress(false);
        throw error;
      });
      if (batch === undefined) break;
      epoch = batch.epoch;
      const last = behind;
      behind = beginOrDispose(batch, begin);
      if (last !== undefined) await finish(last);
      const step = behind.update?.step;
      if (!training.late || (step !== undefined && due(step))) await catchUp();
    }
    await catchUp();
  } finally {
    behind?.batch[Symbol.dispose]();
  }
  saveProgress(true); // before the threads of the loader are waited for
  return done;
}

/** What `begin` returns; a batch that it fails with is given back. */
function beginOrDispose(batch: ClipBatch, begin: (batch: ClipBatch) => Begun): Begun {
  try {
    return begin(batch);
  } catch (error) {
    batch[Symbol.dispose]();
    throw error;
  }
}

/** Results that are awaited later: one that fails meanwhile is an error then, and none before. */
function settledLater(begun: Begun): Begun {
  const { loss, update } = begun;
  for (const result of [loss, update?.skipped, update?.gradientNorm, update?.nonFinite]) result?.catch(() => {});
  return begun;
}

/** What the micro-batches of an update have added up to. */
interface Sum {
  readonly clips: number;
  readonly replaced: number;
  readonly waitedMs: number;
  readonly microBatches: readonly MicroBatch[];
  /** The clips of the first micro-batch whose loss was not finite. */
  readonly suspect?: SuspectClips;
}

const nothing: Sum = { clips: 0, replaced: 0, waitedMs: 0, microBatches: [] };

function add(sum: Sum, batch: ClipBatch, loss: number, guards: Guards): Sum {
  const { step, sources, keys, replaced, waitedMs } = batch;
  const bad = !Number.isFinite(loss) && sum.suspect === undefined && guards.state.dumps < MOST_DUMPS;
  return {
    clips: sum.clips + keys.length,
    replaced: sum.replaced + replaced,
    waitedMs: sum.waitedMs + waitedMs,
    microBatches: [...sum.microBatches, { batch: step, loss, sources, keys }],
    suspect: bad ? copyClips(batch, sum.microBatches.length) : sum.suspect,
  };
}

/** Counts, logs and tells of a skipped update; the first one in a row leaves its batch in the run's folder. */
function takeSkipped(
  { guards, log, folder }: Training,
  step: TrainingStep,
  parameters: readonly string[],
  microBatches: readonly MicroBatch[],
  clips: () => SuspectClips,
): void {
  guards.skipped();
  const { skipped, skippedInARow, dumps } = guards.state;
  const blame = {
    lossFinite: Number.isFinite(step.loss),
    firstBad: parameters[0] ?? null,
    badParameters: parameters.length,
    skippedInARow,
    skippedInAll: skipped,
  };
  const note = `update ${step.step} was skipped: ${reason(step.loss, parameters)}`;
  log.event("skipped update", note, { update: step.step, ...blame });
  if (skippedInARow > 1 || dumps >= MOST_DUMPS) return;
  try {
    const file = writeIncident(folder, { ...step, ...blame }, microBatches, clips());
    guards.dumped();
    log.event("batch written", `its batch is described in ${file}`, { update: step.step, file });
  } catch (error) {
    if (!(error instanceof VideomaeError)) throw error;
    log.event("batch not written", error.message, { update: step.step, reason: error.message });
  }
}

function reason(loss: number, parameters: readonly string[]): string {
  const faults: string[] = [];
  if (!Number.isFinite(loss)) faults.push(`the loss was ${loss}`);
  if (parameters.length > 0) {
    faults.push(`${parameters.length} gradients were not finite, the first that of ${parameters[0]}`);
  }
  return faults.length > 0 ? faults.join(", and ") : "the norm of the gradient overflowed";
}

/** Takes the loss of an update in, and tells of the spike that begins with it. */
function takeLoss({ guards, log }: Training, { step, loss }: TrainingStep): void {
  const spike = guards.updated(loss);
  if (spike === undefined) return;
  const { median, ratio } = spike;
  const note = `the loss of update ${step} is ${loss.toPrecision(4)}, ${ratio.toPrecision(2)} times the recent median`;
  log.event("loss spike", note, { update: step, loss, median, ratio });
}
