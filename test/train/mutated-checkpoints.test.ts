// Mutated checkpoints: whatever happened to a file, it is refused with an error that says what is wrong, or it loads with
// the content it was written with. `VIDEOMAE_MUTATIONS` sets how many are tried (300).
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { type CheckpointContent, openCheckpoint, writeCheckpoint } from "#lib/io/checkpoint.js";
import { type PretrainModel, pretrainModel } from "#lib/models/pretrain.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { RandomStream } from "#lib/random.js";
import { memory, resetPeakMemory } from "#lib/tensor/memory.js";
import { loadPretrainModel } from "#lib/train/load-pretrain.js";
import { pretrain, pretrainStage } from "#lib/train/pretrain.js";
import { restoreRun } from "#lib/train/run-state.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const mutations = Number(process.env.VIDEOMAE_MUTATIONS ?? 300);
const megabyte = 2 ** 20;
const folder = temporaryFolder();
const mutant = path.join(folder, "mutant.safetensors");
let original: Buffer;
let content: Snapshot;

interface Snapshot {
  readonly state: CheckpointContent["state"];
  readonly tensors: Record<"model" | "expAvg" | "expAvgSq", { name: string; shape: number[]; data: Float32Array }[]>;
}

beforeAll(async () => {
  const clips = path.join(folder, "clips");
  await makeClips(clips, { count: 2, frames: 20 });
  const { checkpoint } = await pretrain({
    ...{ data: clips, out: path.join(folder, "run"), model: "vit-tiny", stride: 2, batchSize: 2, maskRatio: 0.75 },
    ...{ width: 12, depth: 1, decoderWidth: 12, decoderDepth: 1, steps: 2 },
  });
  original = readFileSync(checkpoint);
  content = snapshot(checkpoint);
});

/** All that a checkpoint holds. */
function snapshot(file: string): Snapshot {
  using checkpoint = openCheckpoint(file);
  const part = (kind: "model" | "expAvg" | "expAvgSq") =>
    checkpoint.names(kind).map((name) => {
      const { shape, data } = checkpoint.read(kind, name);
      return { name, shape: [...shape], data };
    });
  return {
    state: checkpoint.state,
    tensors: { model: part("model"), expAvg: part("expAvg"), expAvgSq: part("expAvgSq") },
  };
}

type Mutation = (bytes: Buffer, stream: RandomStream) => Buffer;

const headerBytes = (bytes: Buffer) => Number(bytes.readBigUInt64LE(0));

/** Rewrites the header's JSON, and the length before it. */
function editHeader(bytes: Buffer, edit: (text: string) => string): Buffer {
  const length = headerBytes(bytes);
  const header = Buffer.from(edit(bytes.toString("utf8", 8, 8 + length)));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([size, header, bytes.subarray(8 + length)]);
}

const pick = <T>(list: readonly T[], stream: RandomStream): T => list[stream.integer(list.length)];

/** Replaces one match of a pattern. */
function replaceOne(text: string, pattern: RegExp, replacement: string, stream: RandomStream): string {
  const { index, 0: found } = pick([...text.matchAll(pattern)], stream);
  return text.slice(0, index) + replacement + text.slice(index + found.length);
}

const wildNumbers = ["0", "-1", "1.5", "1e308", "9007199254740993", "18446744073709551615", "null", '"x"', "[]", "{}"];

const byteMutations: Record<string, Mutation> = {
  "flipped bits": (bytes, stream) => {
    const bad = Buffer.from(bytes);
    const end = stream.uniform() < 0.5 ? 8 + headerBytes(bytes) : bytes.length;
    for (let i = stream.integer(4); i >= 0; i--) bad[stream.integer(end)] ^= 1 << stream.integer(8);
    return bad;
  },
  "cut short": (bytes, stream) => bytes.subarray(0, stream.integer(bytes.length)),
  "bytes too many": (bytes, stream) =>
    Buffer.concat([bytes, Buffer.alloc(1 + stream.integer(64), stream.integer(256))]),
  "a stretch overwritten": (bytes, stream) => {
    const from = stream.integer(bytes.length);
    const end = Math.min(bytes.length, from + 1 + stream.integer(4096));
    return Buffer.from(bytes).fill(stream.integer(256), from, end);
  },
  "another length of the header": (bytes, stream) => {
    const bad = Buffer.from(bytes);
    bad.writeBigUInt64LE(BigInt(stream.integer(2 ** 32)) << BigInt(stream.integer(33)), 0);
    return bad;
  },
  "a wild number in the header": (bytes, stream) =>
    editHeader(bytes, (text) => replaceOne(text, /\d+/g, pick(wildNumbers, stream), stream)),
  "another dtype": (bytes, stream) =>
    editHeader(bytes, (text) =>
      replaceOne(text, /"F32"/g, pick(['"F16"', '"I32"', '"F64"', '"X"', "32"], stream), stream),
    ),
  "another name": (bytes, stream) =>
    editHeader(bytes, (text) =>
      replaceOne(text, /"(model|optimizer)\.[^"]+"/g, pick(['"model.x"', '""', '"__proto__"'], stream), stream),
    ),
  "places exchanged": (bytes, stream) =>
    editHeader(bytes, (text) => {
      const places = [...text.matchAll(/\[\d+,\d+\](?=})/g)].map((match) => match[0]);
      const [a, b] = [pick(places, stream), pick(places, stream)];
      return text.replace(a, "#").replace(b, a).replace("#", b);
    }),
  "characters lost": (bytes, stream) =>
    editHeader(bytes, (text) => {
      const from = stream.integer(text.length);
      return text.slice(0, from) + text.slice(from + 1 + stream.integer(40));
    }),
};

/** Sets, or removes, a value somewhere inside. */
function mutateValue(value: unknown, stream: RandomStream): unknown {
  const inside = typeof value === "object" && value !== null ? Object.keys(value) : [];
  if (inside.length === 0 || stream.uniform() < 0.1)
    return JSON.parse(pick(wildNumbers.slice(0, 4).concat("null", '"x"', "[]", "{}", "1000000000"), stream));
  const key = pick(inside, stream);
  const copy = structuredClone(value) as Record<string, unknown>;
  if (stream.uniform() < 0.2) delete copy[key];
  else copy[key] = mutateValue(copy[key], stream);
  return copy;
}

/** Writes a checkpoint whose hash is right and whose content is not what a run writes. */
function writeForged(stream: RandomStream): void {
  const parts = structuredClone(content.tensors);
  let { state } = content;
  if (stream.uniform() < 0.7) state = mutateValue(state, stream) as typeof state;
  else {
    const tensors = parts[pick(["model", "expAvg", "expAvgSq"] as const, stream)];
    const i = stream.integer(tensors.length);
    const { name, shape, data } = tensors[i];
    tensors[i] = pick(
      [
        { name: `${name}x`, shape, data },
        { name, shape: [data.length, 1, 1], data },
        { name, shape: [data.length - 1], data: data.slice(1) },
      ],
      stream,
    );
    if (stream.uniform() < 0.3) tensors.splice(i, 1);
  }
  writeCheckpoint(mutant, { state: Object(state), ...parts });
}

let model: PretrainModel;
let optimizer: AdamW;

/** Opens the mutant in both ways that the package does. Returns the error, when it is one that users get. */
function load(): VideomaeError | undefined {
  try {
    restoreRun(openCheckpoint(mutant), pretrainStage, model, optimizer);
    loadPretrainModel(mutant).model.dispose();
    return undefined;
  } catch (error) {
    if (error instanceof VideomaeError) return error;
    throw error;
  }
}

describe(`${mutations} mutated checkpoints`, () => {
  beforeAll(() => {
    const { model: config } = content.state as unknown as { model: object };
    model = pretrainModel(config as Parameters<typeof pretrainModel>[0]);
    optimizer = new AdamW(parameterGroups(model));
    return () => {
      optimizer.dispose();
      model.dispose();
    };
  });

  it("are refused, or are what they were, and take no memory beyond their size", () => {
    const kinds = Object.entries(byteMutations);
    const refused = new Map(kinds.map(([kind]) => [kind, 0]));
    const { live } = memory();
    resetPeakMemory();
    for (let i = 0; i < mutations / 2; i++) {
      const [kind, mutate] = kinds[i % kinds.length];
      writeFileSync(mutant, mutate(original, new RandomStream(i, "mutation")));
      const error = load();
      if (error) refused.set(kind, refused.get(kind)! + 1);
      else expect(snapshot(mutant), `${kind} ${i}`).toEqual(content);
    }
    for (const [kind, count] of refused) expect(count, kind).toBeGreaterThan(0);
    expect(memory().peak - live).toBeLessThan(4 * original.length);
  }, 600_000);

  it("with a right hash and wrong content are refused by what is wrong, or loaded", () => {
    const tensors = memory().tensors;
    const before = process.memoryUsage().rss;
    let refused = 0;
    for (let i = 0; i < mutations / 2; i++) {
      writeForged(new RandomStream(i, "forgery"));
      if (load()) refused++;
    }
    expect(refused).toBeGreaterThan(mutations / 10);
    expect(memory().tensors).toBe(tensors);
    expect(process.memoryUsage().rss - before).toBeLessThan(500 * megabyte);
  }, 600_000);
});
