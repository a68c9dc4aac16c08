// Tensors in several files beside an index, as Hugging Face writes large models:
//   { "metadata": { "total_size": 123 }, "weight_map": { "<tensor>": "model-00001-of-00002.safetensors", ... } }
// The index must name every tensor of every file, each once. `total_size` is not compared: older writers counted shared
// tensors twice.

import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { explainFileError, writeFileAtomic } from "./atomic-file.js";
import { DamagedFileError } from "./damaged-file.js";
import { type StoredTensor, writeSafetensors } from "./safetensors.js";
import { MAX_HEADER_BYTES } from "./safetensors-header.js";
import { parseStrictJson } from "./strict-json.js";
import { noSuchTensor, type StoredEntry, type TensorFile } from "./tensor-file.js";

/** More than any model is split into; each is kept open. */
const MAX_SHARDS = 500;

export class ShardedTensors implements TensorFile {
  readonly path: string;
  /** In the order of the index. */
  readonly names: readonly string[];
  readonly shards: readonly TensorFile[];
  readonly #shardOf: ReadonlyMap<string, TensorFile>;

  /** @internal Use `openSharded`. */
  constructor(path: string, weightMap: ReadonlyMap<string, string>, shards: ReadonlyMap<string, TensorFile>) {
    this.path = path;
    this.names = [...weightMap.keys()];
    this.shards = [...shards.values()];
    const shardOf = new Map<string, TensorFile>();
    for (const [name, file] of weightMap) {
      const shard = shards.get(file) as TensorFile;
      if (!shard.has(name)) throw badIndex(path, `"${name}" in ${file}`, "a file without it");
      shardOf.set(name, shard);
    }
    for (const [file, shard] of shards) {
      const stray = shard.names.find((name) => weightMap.get(name) !== file);
      if (stray !== undefined) throw badIndex(path, `every tensor of ${file} in the index`, `"${stray}", which is not`);
    }
    this.#shardOf = shardOf;
  }

  has(name: string): boolean {
    return this.#shardOf.has(name);
  }

  entry(name: string): StoredEntry {
    return this.#shard(name).entry(name);
  }

  readBytes(name: string, target: Uint8Array, offset = 0): void {
    this.#shard(name).readBytes(name, target, offset);
  }

  close(): void {
    for (const shard of this.shards) shard.close();
  }

  #shard(name: string): TensorFile {
    const shard = this.#shardOf.get(name);
    if (shard) return shard;
    throw noSuchTensor(this.path, name, this.names);
  }
}

/**
 * Opens the files that an index names.
 *
 * @param openShard  opens one of them
 * @throws VideomaeError when the index is damaged, or does not agree with the files
 */
export async function openSharded(
  path: string,
  openShard: (path: string) => Promise<TensorFile>,
): Promise<ShardedTensors> {
  const weightMap = readIndex(path);
  const shards = new Map<string, TensorFile>();
  try {
    for (const file of new Set(weightMap.values())) shards.set(file, await openShard(join(dirname(path), file)));
    return new ShardedTensors(path, weightMap, shards);
  } catch (error) {
    for (const shard of shards.values()) shard.close();
    throw error;
  }
}

/** The weight map of an index: from a tensor's name to the name of its file. */
function readIndex(path: string): ReadonlyMap<string, string> {
  const index = parseIndex(path);
  const map = isRecord(index) ? index.weight_map : undefined;
  if (!isRecord(map)) throw badIndex(path, 'a "weight_map"', "an index without one");
  const files = new Set<string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[^/\\\0]+$/.test(file) || file === "." || file === "..") {
      throw badIndex(`${path}: "${name}"`, "the name of a file beside the index", JSON.stringify(file));
    }
    files.add(file);
  }
  if (files.size > MAX_SHARDS) throw badIndex(path, `at most ${MAX_SHARDS} files`, String(files.size));
  return new Map(Object.entries(map as Record<string, string>));
}

function parseIndex(path: string): unknown {
  try {
    const { size } = statSync(path);
    if (size > MAX_HEADER_BYTES) throw badIndex(path, `at most ${MAX_HEADER_BYTES} bytes`, String(size));
    return parseStrictJson(new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)));
  } catch (cause) {
    if (cause instanceof DamagedFileError) throw cause;
    const explained = explainFileError("read", path, cause);
    throw explained === cause ? badIndex(path, "an index in JSON", (cause as Error).message, cause) : explained;
  }
}

/**
 * Writes tensors into `model-00001-of-0000N.safetensors`, ... and then their index, `model.safetensors.index.json`, each
 * atomically. Tensors keep their order; a new file begins where the next tensor would make one too large.
 *
 * @param folder  where the files go
 * @param tensors  in the order that they are written in
 * @param options  `maxBytes`: of tensors in a file, default 5 GB; a tensor that is larger has a file of its own
 * @returns the path of the index
 * @throws VideomaeError as `writeSafetensors` does, or when a name occurs twice
 */
export function writeShardedSafetensors(
  folder: string,
  tensors: Iterable<StoredTensor>,
  { maxBytes = 5e9 }: { readonly maxBytes?: number } = {},
): string {
  const path = join(folder, "model.safetensors.index.json");
  const shards: StoredTensor[][] = [];
  let room = 0;
  let total = 0;
  for (const tensor of tensors) {
    const { byteLength } = tensor.data;
    if (shards.length === 0 || byteLength > room) {
      shards.push([]);
      room = maxBytes;
    }
    shards[shards.length - 1].push(tensor);
    room -= byteLength;
    total += byteLength;
  }
  const weightMap = new Map<string, string>();
  const number = (n: number) => String(n).padStart(5, "0");
  const files = shards.map((_, i) => `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`);
  shards.forEach((shard, i) => {
    for (const { name } of shard) {
      if (weightMap.has(name)) throw badIndex(`write ${path}: tensor "${name}"`, "a name that occurs once", "it twice");
      weightMap.set(name, files[i]);
    }
  });
  shards.forEach((shard, i) => {
    writeSafetensors(join(folder, files[i]), shard, { format: "pt" });
  });
  const index = { metadata: { total_size: total }, weight_map: Object.fromEntries(weightMap) };
  writeFileAtomic(path, (sink) => sink(new TextEncoder().encode(`${JSON.stringify(index, undefined, 2)}\n`)));
  return path;
}

function badIndex(op: string, expected: string, got: string, cause?: unknown): DamagedFileError {
  const hint = "the index and its files do not belong together: download or write them again";
  return new DamagedFileError({ op, expected, got, hint, cause });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
