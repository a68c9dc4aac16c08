// Weights from whatever file people have: what format it is, and in it the set of named tensors that are a model's.
//
//   a file that begins with a length and JSON   safetensors; a checkpoint of this package is one, its weights are `model.*`
//   a zip file, or a pickle of torch.save       PyTorch, today's format and the one before 1.6
//   a JSON file with a weight map               an index of files of either kind
//   a folder                                    what of these it holds, by the names that writers give
//
// Names are those of the file. Nothing is read of a tensor before it is asked for.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { VideomaeError } from "../errors.js";
import { explainFileError } from "./atomic-file.js";
import { isRunCheckpoint, openCheckpoint, weightPrefixes } from "./checkpoint.js";
import { latestCheckpoint } from "./checkpoint-folder.js";
import { openPytorch, type PlainValue, PytorchFile } from "./pytorch/pytorch-file.js";
import { recognizeFile } from "./recognize-file.js";
import { openSafetensors, SafetensorsFile } from "./safetensors.js";
import { openSharded, ShardedTensors } from "./sharded-tensors.js";
import type { StoredArray } from "./stored-dtype.js";
import { noSuchTensor, readTensor, type StoredEntry, type TensorFile } from "./tensor-file.js";

/** The formats that are read, as reports name them. */
export type WeightsFormat =
  | "safetensors"
  | "safetensors in several files"
  | "checkpoint of a run"
  | "pytorch-zip"
  | "pytorch-legacy"
  | "pytorch in several files";

/** Which of the weights of a file are opened. */
export interface OpenWeightsOptions {
  /**
   * Which dict of tensors of a PyTorch file; by default `model`, `module`, `state_dict`, or the saved object itself. Of a
   * checkpoint `model`, the weights as trained, or `average`; by default the averages where it has them.
   */
  readonly container?: string;
}

/** Named tensors of one model, each read when asked for; close it, or hold it by `using`. */
export class Weights implements TensorFile {
  readonly path: string;
  readonly format: WeightsFormat;
  /** Where in the file the weights lie: the key of a dict, or `model` or `average` for a checkpoint of a run. */
  readonly container: string | undefined;
  /** All keys that a PyTorch file has tensors under. */
  readonly containers: readonly string[];
  readonly names: readonly string[];
  /** Names beside the tensors that are none, of a PyTorch file. */
  readonly others: readonly string[];
  /** Texts of a safetensors header; plain values beside the weights of a PyTorch file, e.g. `epoch`. */
  readonly metadata: ReadonlyMap<string, PlainValue>;
  /** The arguments of the training that wrote a PyTorch file. */
  readonly args: ReadonlyMap<string, PlainValue> | undefined;
  readonly #file: TensorFile;
  readonly #prefix: string;

  /** @internal Use `openWeights`. */
  constructor(path: string, file: TensorFile, { container }: OpenWeightsOptions = {}) {
    this.path = path;
    this.#file = file;
    const source = file instanceof ShardedTensors ? file.shards[0] : file;
    const saved = source instanceof PytorchFile ? source : undefined;
    const metadata = source instanceof SafetensorsFile ? source.metadata : undefined;
    const run = file instanceof SafetensorsFile && isRunCheckpoint(file);
    const part = run ? runPart(path, file, container) : undefined;
    this.#prefix = part === undefined ? "" : weightPrefixes[part];
    this.format = formatOf(file, run);
    this.container = part ?? saved?.container;
    this.containers = saved?.containers ?? [];
    this.others = saved?.others ?? [];
    this.metadata = saved?.metadata ?? metadata ?? new Map();
    this.args = saved?.args;
    const own = file.names.filter((name) => name.startsWith(this.#prefix));
    this.names = own.map((name) => name.slice(this.#prefix.length));
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#file.has(this.#prefix + name);
  }

  entry(name: string): StoredEntry {
    return this.#file.entry(this.#stored(name));
  }

  /** Reads one tensor, row-major: F16 and BF16 as bit patterns in a Uint16Array, I64 as bigint, BOOL as bytes. */
  read(name: string): StoredArray {
    return readTensor(this, name);
  }

  readBytes(name: string, target: Uint8Array, offset = 0): void {
    this.#file.readBytes(this.#stored(name), target, offset);
  }

  close(): void {
    this.#file.close();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #stored(name: string): string {
    if (this.has(name)) return this.#prefix + name;
    throw noSuchTensor(this.path, name, this.names);
  }
}

type RunPart = keyof typeof weightPrefixes;

function runPart(path: string, file: TensorFile, asked: string | undefined): RunPart {
  const held = (Object.keys(weightPrefixes) as RunPart[]).filter((part) =>
    file.names.some((name) => name.startsWith(weightPrefixes[part])),
  );
  const part = asked === undefined ? (held.at(-1) ?? "model") : held.find((name) => name === asked);
  if (part !== undefined) return part;
  throw new VideomaeError({ op: path, expected: `container ${held.join(" or ")}`, got: `"${asked}"` });
}

function formatOf(file: TensorFile, run: boolean): WeightsFormat {
  if (file instanceof PytorchFile) return file.format;
  if (!(file instanceof ShardedTensors)) return run ? "checkpoint of a run" : "safetensors";
  return file.shards[0] instanceof PytorchFile ? "pytorch in several files" : "safetensors in several files";
}

/**
 * Opens weights. Nothing in the file is executed; it is checked as a whole before any tensor is read.
 *
 * @param path  a file, an index of several, or a folder: of a model as Hugging Face has them, or of a run
 * @throws VideomaeError that says what is wrong with the file, or what it is instead of weights
 */
export async function openWeights(path: string, options: OpenWeightsOptions = {}): Promise<Weights> {
  const found = isFolder(path) ? findInFolder(path) : path;
  const sharded = found.endsWith(".index.json");
  return new Weights(
    found,
    sharded ? await openSharded(found, (p) => openFile(p, options)) : await openFile(found, options),
    options,
  );
}

async function openFile(path: string, { container }: OpenWeightsOptions): Promise<TensorFile> {
  const kind = recognizeFile(path);
  if (kind === "pytorch") return openPytorch(path, { container });
  const file = openSafetensors(path);
  if (!isRunCheckpoint(file)) {
    if (container === undefined) return file;
    file.close();
    throw new VideomaeError({ op: path, expected: "no container for safetensors", got: `container "${container}"` });
  }
  file.close();
  openCheckpoint(path).close(); // compares the hash of all that is in it
  return openSafetensors(path);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw explainFileError("open", path, cause);
  }
}

/** The names under which weights lie in a folder, the ones to prefer first. */
const usualNames = [
  "model.safetensors.index.json",
  "model.safetensors",
  "pytorch_model.bin.index.json",
  "pytorch_model.bin",
  "mp_rank_00_model_states.pt",
];

function findInFolder(folder: string): string {
  const names = readdirSync(folder);
  const usual = usualNames.find((name) => names.includes(name));
  if (usual !== undefined) return join(folder, usual);
  const checkpoint = latestCheckpoint(folder);
  if (checkpoint) return checkpoint.path;
  const candidates = names.filter((name) => /\.(safetensors|pth|pt|bin)$/.test(name) && !name.startsWith("."));
  if (candidates.length === 1) return join(folder, candidates[0]);
  throw new VideomaeError({
    op: folder,
    expected: `a folder with ${usualNames[1]}, ${usualNames[3]} or checkpoints of a run`,
    got: candidates.length === 0 ? "a folder without weights" : `several: ${candidates.slice(0, 6).join(", ")}`,
    hint: candidates.length === 0 ? "check the path" : "name one of them",
  });
}
