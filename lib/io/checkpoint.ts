// The checkpoint of a pre-training run: one safetensors file that holds everything a resumed run needs.
//
//   model.<name>                  master weights, f32
//   optimizer.exp_avg.<name>      first moments of AdamW, f32      optimizer.exp_avg_sq.<name>   second moments, f32
//   average.<name>                averaged weights, f32, where a run averages them
//   __metadata__.videomae         JSON: format, version, step, epoch, seed, config and whatever else the run keeps
//   __metadata__.videomae.sha256  hash over that JSON, the tensors' names and shapes, and all tensor bytes
//
// Tensors go by name, never by offset, so a run may change how it lays out memory. Opening checks the hash (about 1
// GB/s) and then the version, so a damaged file is refused before it can poison a run.

import { VideomaeError } from "../errors.js";
import { cryptography } from "../library.js";
import { DamagedFileError } from "./damaged-file.js";
import {
  openSafetensors,
  type SafetensorsFile,
  type StoredTensor,
  writeData,
  writeSafetensors,
} from "./safetensors.js";

export const CHECKPOINT_VERSION = 2;
const FORMAT = "videomae-checkpoint";
const STATE_KEY = "videomae";
const HASH_KEY = "videomae.sha256";
const prefixes = {
  model: "model.",
  expAvg: "optimizer.exp_avg.",
  expAvgSq: "optimizer.exp_avg_sq.",
  average: "average.",
} as const;

/** What a checkpoint holds for each parameter. */
export type CheckpointPart = keyof typeof prefixes;

/** What the names of weights in a checkpoint's file begin with: those that were trained, and their averages. */
export const weightPrefixes = { model: prefixes.model, average: prefixes.average } as const;

/** A parameter or moment, f32, row-major. When it is written `data` may be a getter that copies: see `writeCheckpoint`. */
export interface CheckpointTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The run's state beside its tensors; further fields are kept as they are and must be JSON with finite numbers. */
export interface CheckpointState {
  /** Optimiser steps done. */
  readonly step: number;
  /** Epochs begun, 0-based. */
  readonly epoch: number;
  readonly seed: number;
  /** The run's options. */
  readonly config: unknown;
  readonly [field: string]: unknown;
}

export interface CheckpointContent {
  readonly state: CheckpointState;
  readonly model: Iterable<CheckpointTensor>;
  readonly expAvg: Iterable<CheckpointTensor>;
  readonly expAvgSq: Iterable<CheckpointTensor>;
  readonly average?: Iterable<CheckpointTensor>;
}

/**
 * Writes a checkpoint atomically. It asks three times for the data of each tensor (size, hash, file) and never holds more
 * than one, so a copy of the whole model is not needed where `data` is a getter.
 */
export function writeCheckpoint(path: string, content: CheckpointContent): void {
  const tensors: StoredTensor[] = [];
  for (const part of Object.keys(prefixes) as CheckpointPart[]) {
    for (const tensor of content[part] ?? []) {
      const { name, shape } = tensor;
      tensors.push({
        ...{ name: prefixes[part] + name, dtype: "F32", shape },
        get data() {
          return tensor.data;
        },
      });
    }
  }
  const state = stateJson(path, { ...content.state, format: FORMAT, version: CHECKPOINT_VERSION });
  const hash = startHash(state, tensors);
  writeData(tensors, (bytes) => hash.update(bytes));
  writeSafetensors(path, tensors, { [STATE_KEY]: state, [HASH_KEY]: hash.digest("hex") });
}

/** Whether a file says that it is the checkpoint of a run. */
export function isRunCheckpoint(file: SafetensorsFile): boolean {
  return file.metadata.has(STATE_KEY);
}

/** An open checkpoint; close it, or hold it by `using`. */
export class Checkpoint {
  readonly path: string;
  readonly state: CheckpointState;
  readonly #file: SafetensorsFile;

  /** @internal Use `openCheckpoint`. */
  constructor(file: SafetensorsFile, state: CheckpointState) {
    this.path = file.path;
    this.state = state;
    this.#file = file;
  }

  /** Parameter names of a part, in the order written. */
  names(part: CheckpointPart = "model"): string[] {
    const prefix = prefixes[part];
    return this.#file.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }

  /** Whether a part holds this parameter. */
  has(part: CheckpointPart, name: string): boolean {
    return this.#file.has(prefixes[part] + name);
  }

  /** The shape of a tensor; throws when the part does not hold it. */
  shape(part: CheckpointPart, name: string): readonly number[] {
    return this.#file.entry(prefixes[part] + name).shape;
  }

  /** Reads one tensor; throws when the part does not hold it. */
  read(part: CheckpointPart, name: string): CheckpointTensor {
    const stored = prefixes[part] + name;
    return { name, shape: this.#file.entry(stored).shape, data: this.#file.read(stored) as Float32Array };
  }

  close(): void {
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens a checkpoint and checks its format, version and content.
 *
 * @param options.verify  read all bytes and compare their hash, default true
 * @throws DamagedFileError when the file is damaged or no checkpoint; VideomaeError when it is of another version or the
 *   file system refuses
 */
export function openCheckpoint(path: string, { verify = true }: { readonly verify?: boolean } = {}): Checkpoint {
  const op = `checkpoint ${path}`;
  const file = openSafetensors(path);
  try {
    const text = file.metadata.get(STATE_KEY);
    if (text === undefined) {
      const hint = "give a checkpoint-<step>.safetensors of a run; plain weights cannot be resumed from";
      throw new DamagedFileError({ op, expected: "a checkpoint of a run", got: "a file without a run state", hint });
    }
    for (const name of file.names) {
      const { dtype } = file.entry(name);
      if (dtype !== "F32") throw new DamagedFileError({ op: `${op}: tensor "${name}"`, expected: "F32", got: dtype });
    }
    if (verify) verifyHash(file, text);
    return new Checkpoint(file, parseState(op, text));
  } catch (error) {
    file.close();
    throw error;
  }
}

function verifyHash(file: SafetensorsFile, state: string): void {
  const hash = startHash(
    state,
    file.names.map((name) => ({ name, shape: file.entry(name).shape })),
  );
  for (const bytes of file.chunks()) hash.update(bytes);
  const got = hash.digest("hex");
  const expected = file.metadata.get(HASH_KEY);
  if (got === expected) return;
  throw new DamagedFileError({
    op: `checkpoint ${file.path}`,
    expected: `content with sha256 ${expected ?? "(none recorded)"}`,
    got,
    hint: "the file is damaged: resume from an earlier checkpoint",
  });
}

function startHash(state: string, tensors: readonly Pick<StoredTensor, "name" | "shape">[]) {
  const table = JSON.stringify(tensors.map(({ name, shape }) => [name, shape]));
  return cryptography().createHash("sha256").update(state).update("\n").update(table).update("\n");
}

function parseState(op: string, text: string): CheckpointState {
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch (cause) {
    throw new DamagedFileError({ op, expected: "a run state in JSON", got: (cause as Error).message, cause });
  }
  const fields = Object(state) as Partial<Record<string, unknown>>;
  if (fields.format !== FORMAT) {
    throw new DamagedFileError({ op, expected: `the format "${FORMAT}"`, got: JSON.stringify(fields.format) });
  }
  if (fields.version !== CHECKPOINT_VERSION) {
    const hint = "it was written by another version of videomae: install that one";
    throw new VideomaeError({ op, expected: `version ${CHECKPOINT_VERSION}`, got: String(fields.version), hint });
  }
  for (const field of ["step", "epoch", "seed"]) {
    if (Number.isSafeInteger(fields[field]) && (fields[field] as number) >= 0) continue;
    throw new VideomaeError({ op: `${op}: ${field}`, expected: "an integer from 0 on", got: String(fields[field]) });
  }
  return state as CheckpointState;
}

/** JSON turns NaN and infinities into null; a state that would not come back as it went is an error instead. */
function stateJson(path: string, state: object): string {
  return JSON.stringify(state, (key, value) => {
    if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) {
      throw new VideomaeError({ op: `checkpoint ${path}: ${key}`, expected: "a finite number", got: String(value) });
    }
    return value;
  });
}
