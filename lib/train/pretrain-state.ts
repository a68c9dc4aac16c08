// What a pre-training run keeps between processes, and how it is put into and taken out of a checkpoint.

import type { PretrainRunConfig } from "../config/pretrain-config.js";
import { type DecoderName, findDecoder } from "../data/find-decoder.js";
import type { QuarantineState } from "../data/quarantine.js";
import { VideomaeError } from "../errors.js";
import { type CheckpointState, openCheckpoint, writeCheckpoint } from "../io/checkpoint.js";
import { checkpointPath, retainCheckpoints } from "../io/checkpoint-folder.js";
import { PretrainModel } from "../models/pretrain.js";
import type { PretrainConfig } from "../models/sizes.js";
import type { AdamW } from "../optim/adamw.js";
import { instructionSet } from "../tensor/memory.js";

/** The state beside the tensors. */
export interface PretrainState extends CheckpointState {
  readonly config: PretrainRunConfig;
  readonly model: PretrainConfig;
  /** Updates the optimiser applied; less than `step` when some were skipped. */
  readonly updates: number;
  readonly numerics: Numerics;
  /** What the loader had learnt of its files. */
  readonly quarantine: QuarantineState;
}

/** What the last bits of results depend on, besides the options. */
export interface Numerics {
  readonly instructionSet: string;
  /** What decodes video, with the version of FFmpeg in it; "none" where there is only raw frames to read. */
  readonly decoder: string;
}

/** The numerics of this process, with what a decoder choice comes to here. */
export async function numericsOf(decoder: DecoderName): Promise<Numerics> {
  const found = await findDecoder(decoder).then(
    ({ name, version }) => `${name} (${version})`,
    () => "none",
  );
  return { instructionSet: instructionSet(), decoder: found };
}

/** The options that numbers depend on. */
const numericOptions = [
  ...[
    "data",
    "root",
    "exclude",
    "minFrames",
    "stride",
    "rate",
    "pixelAspect",
    "views",
    "mask",
    "maskRatio",
    "decoderMask",
    "decoderMaskRatio",
    "batchSize",
  ],
  ...["accumulate", "epochs", "steps", "lr", "minLr", "warmupLr", "warmupEpochs", "warmupSteps", "weightDecay"],
  ...["weightDecayEnd", "betas", "eps", "clipNorm", "seed", "position", "dropPath"],
] as const;

/** Why a resumed run will not give the numbers of one never stopped: one sentence a reason. */
export function differences(state: PretrainState, config: PretrainRunConfig, numerics: Numerics): string[] {
  const before: Record<string, unknown> = { ...pick(state.config), ...state.numerics };
  const now: Record<string, unknown> = { ...pick(config), ...numerics };
  return Object.keys(now)
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
    .map(
      (key) => `resumed with ${key} ${show(now[key])} where the run had ${show(before[key])}: its numbers will differ`,
    );
}

function pick(config: PretrainRunConfig): Record<string, unknown> {
  return Object.fromEntries(numericOptions.map((key) => [key, config[key as keyof PretrainRunConfig]]));
}

function show(value: unknown): string {
  return value === undefined ? "unset" : JSON.stringify(value);
}

/** Writes `checkpoint-<step>.safetensors` and removes the oldest beyond `config.keep`. Returns its path. */
export function savePretrainState(
  run: { config: PretrainRunConfig; step: number; epoch: number; numerics: Numerics; quarantine: QuarantineState },
  model: PretrainModel,
  optimizer: AdamW,
): string {
  const { config, step, epoch, numerics, quarantine } = run;
  const state: PretrainState = {
    step,
    epoch,
    seed: config.seed,
    config,
    model: model.config,
    updates: optimizer.updates,
    numerics,
    quarantine,
  };
  const path = checkpointPath(config.out, step);
  writeCheckpoint(path, {
    state,
    model: model.namedParameters().map(([name, parameter]) => ({
      name,
      shape: parameter.shape,
      data: parameter.value.readSync() as Float32Array,
    })),
    expAvg: optimizer.moments("expAvg"),
    expAvgSq: optimizer.moments("expAvgSq"),
  });
  retainCheckpoints(config.out, config.keep);
  return path;
}

/**
 * Puts a checkpoint's weights and moments into a model and its optimiser, and returns its state.
 * @throws VideomaeError when the checkpoint is of another model
 */
export function restorePretrainState(path: string, model: PretrainModel, optimizer: AdamW): PretrainState {
  using checkpoint = openCheckpoint(path);
  const state = checkpoint.state as PretrainState;
  const differing = Object.entries(model.config).filter(
    ([key, value]) => state.model?.[key as keyof PretrainConfig] !== value,
  );
  if (differing.length > 0) {
    const [key, value] = differing[0];
    throw new VideomaeError({
      op: path,
      expected: `a checkpoint of a model with ${key} ${value}`,
      got: `${key} ${state.model?.[key as keyof PretrainConfig]}`,
      hint: "resume with the options the run was started with, or choose another folder with --out",
    });
  }
  model.load(new Map(checkpoint.names("model").map((name) => [name, checkpoint.read("model", name)])));
  optimizer.restore(state.updates, (kind, name) => checkpoint.read(kind, name).data);
  return state;
}

/** A model with a checkpoint's weights, for evaluation. The caller disposes of it. */
export function loadPretrainModel(path: string): { model: PretrainModel; state: PretrainState } {
  using checkpoint = openCheckpoint(path);
  const state = checkpoint.state as PretrainState;
  if (state.model === undefined) {
    throw new VideomaeError({
      op: path,
      expected: "a pre-training checkpoint",
      got: "one without a model description",
    });
  }
  const model = new PretrainModel(state.model, { position: state.config.position });
  model.load(new Map(checkpoint.names("model").map((name) => [name, checkpoint.read("model", name)])));
  return { model: model.train(false), state };
}
