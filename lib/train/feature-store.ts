// Features of the clips of a data set, computed once and kept in files: one a batch, each written whole or not at all, so what
// was computed before a process was stopped need not be again. A file says what its features were made of; one of another
// encoder, other clips or another list is made anew.
//
//   <folder>/<name>-<batch>.safetensors    features f32 (R, D) or (R, N, D), labels i32 (R), of the R clips that could be read

import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { noGrad } from "../autograd/grad-mode.js";
import { type ClipBatch, type LoaderOptions, loader, type VideoDataset } from "../data/loader.js";
import { sourcePath } from "../data/source.js";
import { VideomaeError } from "../errors.js";
import { openSafetensors, type SafetensorsFile, writeSafetensors } from "../io/safetensors.js";
import { cryptography } from "../library.js";
import type { Module } from "../nn/module.js";
import { widened } from "../ops/cast.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { interruptible } from "./interruptible.js";
import { listHash } from "./run-state.js";

/** What makes features, and what they are made of. */
export interface FeatureRequest {
  /** Where the files are. */
  readonly folder: string;
  readonly name: string;
  /** All that features depend on besides the data; compared as JSON. */
  readonly identity: object;
  /** Every clip is that of evaluation, and has a label. */
  readonly dataset: VideoDataset;
  readonly loading: Pick<
    LoaderOptions,
    "batchSize" | "workers" | "decoder" | "decodeTimeout" | "maxBadFraction" | "onBadFile"
  >;
  /** (B, D) or (B, N, D) of clips u8 (B, T, S, S, 3). */
  encode(video: Tensor): Tensor;
  readonly signal?: AbortSignal;
}

/** Where the features of one file lie among all. */
interface Shard {
  readonly file: string;
  /** Clips before, and in it. */
  readonly first: number;
  readonly clips: number;
  readonly labels: Int32Array;
}

/** Files that are open at a time. */
const MOST_OPEN = 128;

export class FeatureStore implements Disposable {
  /** (D) or (N, D) */
  readonly shape: readonly number[];
  readonly clips: number;
  /** The class of each clip. */
  readonly labels: Int32Array;
  readonly #shards: readonly Shard[];
  /** By path, the one that was opened first in front. */
  readonly #open = new Map<string, SafetensorsFile>();

  /** @internal Use `openFeatures`. */
  constructor(shape: readonly number[], shards: readonly Shard[]) {
    this.shape = shape;
    this.#shards = shards;
    this.labels = Int32Array.from(shards.flatMap(({ labels }) => [...labels]));
    this.clips = this.labels.length;
  }

  /**
   * Reads the features of some clips.
   * @param target  (clips.length, ...shape)
   */
  read(clips: readonly number[], target: Float32Array): void {
    const size = this.shape.reduce((product, n) => product * n, 1);
    for (const [i, clip] of clips.entries()) {
      const shard = this.#shards.findLast(({ first }) => first <= clip)!;
      const row = target.subarray(i * size, (i + 1) * size);
      const bytes = new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
      this.#file(shard.file).readBytes("features", bytes, (clip - shard.first) * bytes.byteLength);
    }
  }

  [Symbol.dispose](): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }

  #file(path: string): SafetensorsFile {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const [oldest] = this.#open;
    if (this.#open.size >= MOST_OPEN) {
      oldest[1].close();
      this.#open.delete(oldest[0]);
    }
    const file = openSafetensors(path);
    this.#open.set(path, file);
    return file;
  }
}

/**
 * Opens the features of a data set, and computes those that are not there.
 * @throws VideomaeError when nothing can be read; what the signal says when it is aborted
 */
export async function openFeatures(
  request: FeatureRequest,
): Promise<{ readonly store: FeatureStore; readonly computed: number }> {
  const { folder, name, dataset, loading } = request;
  const files = Math.ceil(dataset.length / loading.batchSize);
  const identity = identityOf(request);
  const pathOf = (step: number) => path.join(folder, `${name}-${String(step).padStart(5, "0")}.safetensors`);
  const shards: Shard[] = [];
  let clips = 0;
  let shape: readonly number[] = [];
  const take = (file: string): boolean => {
    const found = readShard(file, identity);
    if (found === undefined) return false;
    shape = found.shape;
    shards.push({ file, first: clips, clips: found.labels.length, labels: found.labels });
    clips += found.labels.length;
    return true;
  };
  let known = 0;
  while (known < files && take(pathOf(known))) known++;
  mkdirSync(folder, { recursive: true });
  const batches = loader(dataset, { ...loading, evaluation: true, startStep: known });
  await using source = interruptible(batches, request.signal);
  for (let step = known; step < files; step++) {
    using batch = await source.next();
    request.signal?.throwIfAborted();
    if (batch === undefined) break;
    writeShard(pathOf(step), batch, request, identity);
    take(pathOf(step));
  }
  if (clips === 0)
    throw new VideomaeError({ op: `features of ${name}`, expected: "a clip that can be read", got: "none" });
  return { store: new FeatureStore(shape, shards), computed: files - known };
}

function identityOf({ identity, dataset, loading }: FeatureRequest): string {
  const all = { identity, list: listHash(dataset.sources), clip: dataset.clip, batchSize: loading.batchSize };
  return cryptography().createHash("sha256").update(JSON.stringify(all)).digest("hex");
}

/** Features and labels of a file; undefined where there is none, or one of something else. */
function readShard(file: string, identity: string): { shape: readonly number[]; labels: Int32Array } | undefined {
  if (!existsSync(file)) return undefined;
  using stored = openSafetensors(file);
  if (stored.metadata.get("identity") !== identity) return undefined;
  const [, ...shape] = stored.entry("features").shape;
  return { shape, labels: stored.read("labels") as Int32Array };
}

/** Clips that stand in for bad ones are left out. */
function writeShard(file: string, batch: ClipBatch, { dataset, encode }: FeatureRequest, identity: string): void {
  const kept = batch.keys.flatMap(({ place }, i) =>
    batch.sources[i] === sourcePath(dataset.sources[place]) ? [i] : [],
  );
  const { shape, data } = scope(() => {
    const features = noGrad(() => widened(encode(batch.video)));
    return { shape: features.shape.slice(1), data: features.readSync() as Float32Array };
  });
  const size = data.length / batch.keys.length;
  const rows = new Float32Array(kept.length * size);
  for (const [row, i] of kept.entries()) rows.set(data.subarray(i * size, (i + 1) * size), row * size);
  const labels = Int32Array.from(kept, (i) => batch.labels[i]!);
  writeSafetensors(
    file,
    [
      { name: "features", dtype: "F32", shape: [kept.length, ...shape], data: rows },
      { name: "labels", dtype: "I32", shape: [kept.length], data: labels },
    ],
    { identity },
  );
}

/** A hash over the values of a module's parameters. */
export function parameterHash(module: Module): string {
  const hash = cryptography().createHash("sha256");
  for (const [name, { value }] of module.namedParameters()) {
    const numbers = value.readSync();
    hash.update(name).update(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
  }
  return hash.digest("hex");
}
