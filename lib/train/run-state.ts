// What a run of any stage keeps between processes, and how it is put into and taken out of a checkpoint. A checkpoint
// knows its stage.

import type { RunConfig } from "../config/run-options.js";
import type { StageName } from "../config/stage-options.js";
import { isQuarantineState, type QuarantineState } from "../data/quarantine.js";
import type { Source } from "../data/source.js";
import { VideomaeError } from "../errors.js";
import { type Checkpoint, type CheckpointState, writeCheckpoint } from "../io/checkpoint.js";
import { lazy } from "../lazy.js";
import { cryptography } from "../library.js";
import type { Module } from "../nn/module.js";
import type { AdamW } from "../optim/adamw.js";
import type { ParameterEma } from "../optim/ema.js";
import type { CosineScheduleOptions } from "../optim/schedule.js";
import { z } from "../zod.js";
import type { SaveRecord } from "./checkpoint-saver.js";
import type { GuardState } from "./guards.js";
import type { Numerics } from "./numerics.js";

/** How what a stage's checkpoints say is read. */
export interface Stage<C extends RunConfig = RunConfig, D extends object = object> {
  readonly name: StageName;
  /** The options, every one checked; `op` is what messages call the checkpoint. */
  parse(options: unknown, op?: string): C;
  /** The description of the model, checked. */
  describe(model: object): D;
  /** Options that no number of this stage depends on, or that are compared as the model's description. */
  neutral(): readonly string[];
}

/** A model that can be trained. */
export interface TrainedModel<D extends object = object> extends Module {
  /** Everything that decides its parameters and its arithmetic. */
  readonly config: D;
}

/** The state beside the tensors. */
export interface RunState<C extends RunConfig = RunConfig, D extends object = object> extends CheckpointState {
  readonly stage: StageName;
  readonly config: C;
  readonly model: D;
  /** Updates the optimiser applied; less than `step` when some were skipped. */
  readonly updates: number;
  readonly schedules: Schedules;
  readonly data: DataState;
  readonly guards: GuardState;
  readonly best?: { readonly step: number; readonly loss: number };
  readonly logBytes: number;
  readonly numerics: Numerics;
  /** Names of a classifier's classes, by number. */
  readonly classes?: readonly string[];
  /** The update after which the model was last validated. */
  readonly validated?: number;
}

/** All that defines the schedules. */
export interface Schedules {
  readonly learningRate: CosineScheduleOptions;
  readonly weightDecay: CosineScheduleOptions;
}

/** Where in the data a run is. */
export interface DataState {
  /** The loader's step that comes next. */
  readonly nextBatch: number;
  /** How many videos there are, and a hash over their list. */
  readonly videos: number;
  readonly list: string;
  /** What the loader had learnt of its files. */
  readonly quarantine: QuarantineState;
}

/** A hash over the videos of a run: another list makes other batches. */
export function listHash(sources: readonly Source[]): string {
  const hash = cryptography().createHash("sha256");
  for (const source of sources) hash.update(JSON.stringify(source));
  return hash.digest("hex").slice(0, 16);
}

/** The fields of the state that a resumed run computes with; the options have a schema of their own. */
const stateSchema = lazy(() => {
  const count = z.number().int().min(0);
  const text = z.string();
  const schedule = z.object({
    ...{ base: z.number(), final: z.number(), steps: count.min(1) },
    ...{ warmupSteps: count.optional(), warmupStart: z.number().optional() },
  });
  return z.object({
    stage: text.default("pretrain"), // what it was before there was another
    updates: count,
    schedules: z.object({ learningRate: schedule, weightDecay: schedule }),
    data: z.object({
      ...{ nextBatch: count, videos: count, list: text },
      quarantine: z.custom<QuarantineState>(isQuarantineState, "expected what a loader has learnt of its files"),
    }),
    guards: z.object({
      ...{ skipped: count, skippedInARow: count, spikes: count, spiking: z.boolean(), dumps: count },
      ...{ smoothed: z.object({ sum: z.number(), weight: z.number() }), recent: z.array(z.number()) },
    }),
    best: z.object({ step: count, loss: z.number() }).optional(),
    classes: z.array(text).optional(),
    validated: count.optional(),
    logBytes: count,
    numerics: z.object({
      ...{ package: text, instructionSet: text, decoder: text },
      // What they were before there was a choice.
      ...{ device: text.default("cpu"), dtype: text.default("f32"), matrixLibrary: text.default("none") },
      kernels: z.record(text, text).optional(),
    }),
  });
});

/**
 * The state of a checkpoint, every field checked.
 * @throws VideomaeError when it is of another stage
 */
export function stateOf<C extends RunConfig, D extends object>(
  { path, state }: Pick<Checkpoint, "path" | "state">,
  stage: Stage<C, D>,
): RunState<C, D> {
  const op = `checkpoint ${path}`;
  if (typeof state.model !== "object" || state.model === null) {
    throw new VideomaeError({ op, expected: `a ${stage.name} checkpoint`, got: "one without a model description" });
  }
  const result = stateSchema().safeParse(state);
  if (!result.success) {
    const [{ path: field, message }] = result.error.issues;
    throw new VideomaeError({
      op: `${op}: ${field.join(".")}`,
      expected: `the state of a ${stage.name} run`,
      got: message,
    });
  }
  if (result.data.stage !== stage.name) {
    throw new VideomaeError({
      op,
      expected: `a checkpoint of videomae ${stage.name}`,
      got: `one of videomae ${result.data.stage}`,
      hint: "runs of different stages have folders of their own (--out); one begins with the weights of another by --weights",
    });
  }
  return {
    ...state,
    ...result.data,
    stage: stage.name,
    config: stage.parse(state.config, op),
    model: stage.describe(state.model),
  };
}

/** The options that no number of any stage depends on, or that are compared as the model's description or as numerics. */
const neutralOptions: readonly (keyof RunConfig)[] = [
  ...([
    "out",
    "resume",
    "keep",
    "saveEvery",
    "saveEpochs",
    "logEvery",
    "tensorboard",
    "maxSkips",
    "spikeRatio",
  ] as const),
  ...(["maxBadFraction", "decodeTimeout", "workers", "threads", "recompute", "decoder", "device", "dtype"] as const),
];

/** What a run's numbers depend on. */
type Basis = Pick<RunState, "config" | "numerics" | "schedules"> & { data: Pick<DataState, "videos" | "list"> };

/**
 * Why a resumed run will not give the numbers of one never stopped: one sentence a reason.
 * @param neutral  options of the stage that need no word
 */
export function differences(before: Basis, now: Basis, neutral: readonly string[]): string[] {
  const fixed = differing(fixedBasis(before, neutral), fixedBasis(now, neutral));
  const all = [...fixed, ...otherKernels(before.numerics, now.numerics)];
  // Other options make another schedule; only one that differs for no other reason is worth a word.
  return all.length > 0 ? all : differing(schedulesOf(before), schedulesOf(now));
}

/** One sentence on all work that other kernels will do; none where it is known of one run only, as of one on the CPU. */
function otherKernels({ kernels: before = {} }: Numerics, { kernels: now = {} }: Numerics): string[] {
  const others = Object.keys(now).filter((work) => work in before && before[work] !== now[work]);
  if (others.length === 0) return [];
  const shown = others.slice(0, 3).map((work) => `${work}: ${now[work]} where the run had ${before[work]}`);
  const rest = others.length > 3 ? [`${others.length - 3} more`] : [];
  return [`resumed with other kernels (${[...shown, ...rest].join("; ")}): its numbers will differ`];
}

function differing(before: Record<string, unknown>, now: Record<string, unknown>): string[] {
  return [...new Set([...Object.keys(now), ...Object.keys(before)])]
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
    .map(
      (key) => `resumed with ${key} ${show(now[key])} where the run had ${show(before[key])}: its numbers will differ`,
    );
}

function fixedBasis({ config, numerics, data }: Basis, neutral: readonly string[]): Record<string, unknown> {
  const without = new Set<string>([...neutralOptions, ...neutral]);
  const { kernels: _, ...plain } = numerics;
  return {
    ...Object.fromEntries(Object.entries(config).filter(([option]) => !without.has(option))),
    ...plain,
    videos: data.videos,
    "list of videos": data.list,
  };
}

function schedulesOf({ schedules }: Basis): Record<string, unknown> {
  const fields = Object.entries(schedules).flatMap(([schedule, options]) =>
    Object.entries(options).map(([field, value]) => [`${schedule} ${field}`, value]),
  );
  return Object.fromEntries(fields);
}

function show(value: unknown): string {
  return value === undefined ? "unset" : JSON.stringify(value);
}

/** The parts of the state that are not those of the model, the optimiser and the save itself. */
export type RunSnapshot = Pick<
  RunState,
  "stage" | "config" | "schedules" | "data" | "guards" | "numerics" | "classes" | "validated"
>;

/** Writes a checkpoint. */
export function saveRun(
  path: string,
  record: SaveRecord,
  run: RunSnapshot,
  model: TrainedModel,
  optimizer: AdamW,
  ema: ParameterEma | undefined,
): void {
  const state: RunState = {
    ...record,
    ...run,
    seed: run.config.seed,
    model: model.config,
    updates: optimizer.updates,
  };
  writeCheckpoint(path, {
    state,
    model: model.namedParameters().map(([name, parameter]) => ({
      name,
      shape: parameter.shape,
      get data() {
        return parameter.value.readSync() as Float32Array;
      },
    })),
    expAvg: optimizer.moments("expAvg"),
    expAvgSq: optimizer.moments("expAvgSq"),
    average: ema?.averages(),
  });
}

/**
 * Puts a checkpoint's weights and moments into a model and its optimiser, closes it, and returns its state and path.
 * @throws VideomaeError when the checkpoint is of another stage or model
 */
export function restoreRun<C extends RunConfig, M extends TrainedModel>(
  checkpoint: Checkpoint,
  stage: Stage<C, M["config"]>,
  model: M,
  optimizer: AdamW,
  ema?: ParameterEma,
): RunState<C, M["config"]> & { readonly path: string } {
  using _checkpoint = checkpoint;
  const state = stateOf(checkpoint, stage);
  const differing = Object.entries(model.config).filter(
    ([key, value]) => state.model[key as keyof typeof state.model] !== value,
  );
  if (differing.length > 0) {
    const [key, value] = differing[0];
    throw new VideomaeError({
      op: checkpoint.path,
      expected: `a checkpoint of a model with ${key} ${value}`,
      got: `${key} ${state.model[key as keyof typeof state.model]}`,
      hint: "resume with the options the run was started with, or choose another folder with --out",
    });
  }
  model.load(new Map(checkpoint.names("model").map((name) => [name, checkpoint.read("model", name)])));
  optimizer.restore(state.updates, (kind, name) => checkpoint.read(kind, name));
  // A run that did not average until now begins with its weights.
  const averaged = checkpoint.names("average").length > 0 ? "average" : "model";
  ema?.restore((name) => checkpoint.read(averaged, name));
  return { ...state, path: checkpoint.path };
}
