// What a pre-training run keeps between processes, and how it is put into and taken out of a checkpoint.

import { createHash } from "node:crypto";
import { z } from "zod";
import { type PretrainRunConfig, parsePretrainConfig } from "../config/pretrain-config.js";
import { isQuarantineState, type QuarantineState } from "../data/quarantine.js";
import type { Source } from "../data/source.js";
import { VideomaeError } from "../errors.js";
import { type Checkpoint, type CheckpointState, openCheckpoint, writeCheckpoint } from "../io/checkpoint.js";
import { PretrainModel } from "../models/pretrain.js";
import { type PretrainConfig, parameterShapes, resolvePretrainConfig } from "../models/sizes.js";
import type { AdamW } from "../optim/adamw.js";
import type { CosineScheduleOptions } from "../optim/schedule.js";
import type { SaveRecord } from "./checkpoint-saver.js";
import type { Compute } from "./compute.js";
import type { GuardState } from "./guards.js";
import type { Numerics } from "./numerics.js";

/** The state beside the tensors. */
export interface PretrainState extends CheckpointState {
  readonly config: PretrainRunConfig;
  readonly model: PretrainConfig;
  /** Updates the optimiser applied; less than `step` when some were skipped. */
  readonly updates: number;
  readonly schedules: Schedules;
  readonly data: DataState;
  readonly guards: GuardState;
  readonly best?: { readonly step: number; readonly loss: number };
  readonly logBytes: number;
  readonly numerics: Numerics;
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
  const hash = createHash("sha256");
  for (const source of sources) hash.update(JSON.stringify(source));
  return hash.digest("hex").slice(0, 16);
}

const count = z.number().int().min(0);
const text = z.string();
const schedule = z.object({
  ...{ base: z.number(), final: z.number(), steps: count.min(1) },
  ...{ warmupSteps: count.optional(), warmupStart: z.number().optional() },
});

/** The fields of the state that a resumed run computes with; the options have a schema of their own. */
const stateSchema = z.object({
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
  logBytes: count,
  numerics: z.object({
    ...{ package: text, instructionSet: text, decoder: text },
    // What they were before there was a choice.
    ...{ device: text.default("cpu"), dtype: text.default("f32"), matrixLibrary: text.default("none") },
  }),
});

/** The state of a checkpoint, every field checked. */
export function pretrainStateOf({ path, state }: Pick<Checkpoint, "path" | "state">): PretrainState {
  const op = `checkpoint ${path}`;
  if (typeof state.model !== "object" || state.model === null) {
    throw new VideomaeError({ op, expected: "a pre-training checkpoint", got: "one without a model description" });
  }
  const result = stateSchema.safeParse(state);
  if (!result.success) {
    const [{ path: field, message }] = result.error.issues;
    throw new VideomaeError({
      op: `${op}: ${field.join(".")}`,
      expected: "the state of a pre-training run",
      got: message,
    });
  }
  return {
    ...state,
    ...result.data,
    config: parsePretrainConfig(state.config, op),
    model: resolvePretrainConfig(state.model),
  };
}

/** The options that no number depends on, or that are compared as the model's description or as numerics. */
const neutralOptions: ReadonlySet<keyof PretrainRunConfig> = new Set([
  ...(["out", "resume", "keep", "saveEvery", "logEvery", "maxSkips", "spikeRatio"] as const),
  ...([
    "maxBadFraction",
    "decodeTimeout",
    "workers",
    "threads",
    "recompute",
    "decoder",
    "device",
    "dtype",
    "model",
    "image",
    "patch",
    "tubelet",
    "frames",
  ] as const),
  ...(["width", "depth", "heads", "decoderWidth", "decoderDepth", "decoderHeads"] as const),
  ...(["dropPath", "normalizeTarget"] as const),
]);

/** What a run's numbers depend on. */
type Basis = Pick<PretrainState, "config" | "numerics" | "schedules"> & { data: Pick<DataState, "videos" | "list"> };

/** Why a resumed run will not give the numbers of one never stopped: one sentence a reason. */
export function differences(before: Basis, now: Basis): string[] {
  const fixed = differing(fixedBasis(before), fixedBasis(now));
  // Other options make another schedule; only one that differs for no other reason is worth a word.
  return fixed.length > 0 ? fixed : differing(schedulesOf(before), schedulesOf(now));
}

function differing(before: Record<string, unknown>, now: Record<string, unknown>): string[] {
  return [...new Set([...Object.keys(now), ...Object.keys(before)])]
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
    .map(
      (key) => `resumed with ${key} ${show(now[key])} where the run had ${show(before[key])}: its numbers will differ`,
    );
}

function fixedBasis({ config, numerics, data }: Basis): Record<string, unknown> {
  return {
    ...Object.fromEntries(
      Object.entries(config).filter(([option]) => !neutralOptions.has(option as keyof PretrainRunConfig)),
    ),
    ...numerics,
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
export type RunState = Pick<PretrainState, "config" | "schedules" | "data" | "guards" | "numerics">;

/** Writes a checkpoint. */
export function savePretrainState(
  path: string,
  record: SaveRecord,
  run: RunState,
  model: PretrainModel,
  optimizer: AdamW,
): void {
  const state: PretrainState = {
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
  });
}

/**
 * Puts a checkpoint's weights and moments into a model and its optimiser, closes it, and returns its state and path.
 * @throws VideomaeError when the checkpoint is of another model
 */
export function restorePretrainState(
  checkpoint: Checkpoint,
  model: PretrainModel,
  optimizer: AdamW,
): PretrainState & { readonly path: string } {
  using _checkpoint = checkpoint;
  const state = pretrainStateOf(checkpoint);
  const differing = Object.entries(model.config).filter(
    ([key, value]) => state.model[key as keyof PretrainConfig] !== value,
  );
  if (differing.length > 0) {
    const [key, value] = differing[0];
    throw new VideomaeError({
      op: checkpoint.path,
      expected: `a checkpoint of a model with ${key} ${value}`,
      got: `${key} ${state.model[key as keyof PretrainConfig]}`,
      hint: "resume with the options the run was started with, or choose another folder with --out",
    });
  }
  model.load(new Map(checkpoint.names("model").map((name) => [name, checkpoint.read("model", name)])));
  optimizer.restore(state.updates, (kind, name) => checkpoint.read(kind, name));
  return { ...state, path: checkpoint.path };
}

/**
 * A model with a checkpoint's weights, for evaluation. The caller disposes of it.
 * @param compute  where the model is and in what it computes, whatever the run did: by default the CPU, in f32
 */
export function loadPretrainModel(
  path: string,
  compute: Partial<Compute> = {},
): { model: PretrainModel; state: PretrainState } {
  using checkpoint = openCheckpoint(path);
  const state = pretrainStateOf(checkpoint);
  checkShapes(checkpoint, state.model);
  const model = new PretrainModel(state.model, { ...compute, position: state.config.position, initialize: false });
  try {
    model.load(new Map(checkpoint.names("model").map((name) => [name, checkpoint.read("model", name)])));
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model: model.train(false), state };
}

/** Checks that a checkpoint holds the weights of a model before any memory is taken for it. */
function checkShapes(checkpoint: Checkpoint, config: PretrainConfig): void {
  const stored = checkpoint.names("model").length;
  const expected = config.depth + config.decoderDepth <= stored ? parameterShapes(config) : undefined;
  const differing = expected?.find(([name, shape]) => `${shape}` !== `${checkpoint.shape("model", name)}`);
  if (expected?.length === stored && differing === undefined) return;
  throw new VideomaeError({
    op: `checkpoint ${checkpoint.path}`,
    expected: "the weights of the model it describes",
    got: differing === undefined ? `${stored} weights` : `another shape of ${differing[0]}`,
    hint: "the file was not written by videomae: use another checkpoint",
  });
}
