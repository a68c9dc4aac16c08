// A skipped update: what is logged, what is written, and what a resumed run remembers.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { ClipBatch } from "#lib/data/clip-batch.js";
import { openSafetensors } from "#lib/io/safetensors.js";
import { openJsonl, readJsonl } from "#lib/log/jsonl.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { CheckpointSaver } from "#lib/train/checkpoint-saver.js";
import { type GuardState, Guards, noUpdates } from "#lib/train/guards.js";
import { MOST_DUMPS } from "#lib/train/incident.js";
import { RunLog } from "#lib/train/run-log.js";
import { type Procedure, train } from "#lib/train/training-loop.js";
import { temporaryFolder } from "../temporary-folder.js";

const shape: [number, number, number, number, number] = [2, 2, 4, 4, 3];
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

/** Batches whose pixels all are the number of the batch. */
async function* batches(first: number, count: number): AsyncGenerator<ClipBatch> {
  for (let step = first; step < first + count; step++) {
    const memory = new SharedArrayBuffer(shape.reduce((a, b) => a * b));
    new Uint8Array(memory).fill(step);
    const keys = [0, 1].map((place) => ({ epoch: 0, place: 2 * step + place, view: 0 }));
    const read = {
      sources: [`a${step}`, `b${step}`],
      labels: [undefined, undefined],
      replaced: 0,
      pixels: "u8" as const,
    };
    yield new ClipBatch({ shape, step, epoch: 0, keys, ...read, memory, release: () => {} });
  }
}

/** Runs the loop on losses that are given, one a batch, two batches an update. An update skips when one is not finite. */
async function run(
  losses: readonly number[],
  options: { folder?: string; state?: GuardState; maxSkips?: number } = {},
) {
  const { folder = temporaryFolder(), state = noUpdates, maxSkips = 10 } = options;
  const notes: string[] = [];
  using log = new RunLog(openJsonl(path.join(folder, "log.jsonl")), (note) => notes.push(note));
  const guards = new Guards({ maxSkips, spikeRatio: 2 }, state);
  const results: Tensor[] = [];
  const tensor = (value: number) => {
    const scalar = Tensor.fromArray([value], [], "f64");
    results.push(scalar);
    return scalar;
  };
  let sum = 0;
  const procedure: Procedure = {
    accumulate: ({ step }) => {
      sum = losses[step];
      return { loss: tensor(losses[step]) };
    },
    update: ({ step }) => {
      const finite = Number.isFinite(sum + losses[step]);
      const count = finite ? 0 : 1;
      const [skipped, nonFinite] = [Tensor.fromArray([count], [], "i32"), Tensor.fromArray([0, count], [2], "i32")];
      results.push(skipped, nonFinite);
      return { loss: tensor(losses[step]), gradientNorm: tensor(finite ? 1 : nan), skipped, nonFinite };
    },
    blamed: (counts) => ["first", "second"].filter((_, i) => counts[i] > 0),
  };
  const saver = new CheckpointSaver({ folder, keep: 1, log, write: () => {} });
  const updates = losses.length / 2;
  const done = train({
    ...{ procedure, guards, saver, log, folder, accumulate: 2, start: 0, steps: updates, seed: 0 },
    late: false,
    ...{ batches: batches(0, losses.length), schedule: () => ({ learningRate: 1, weightDecay: 0 }) },
    ...{ logEvery: 5, saveEvery: 1000 },
  });
  const error = await done.then(
    () => undefined,
    (e: Error) => e,
  );
  for (const result of results) result.dispose();
  const records = () => readJsonl(path.join(folder, "log.jsonl"));
  return { folder, notes, guards, error, records };
}

it("writes the clips of the first micro-batch whose loss was not finite, once for each incident", async () => {
  const { folder, notes, guards, records } = await run([1, 1, infinity, 1, 1, nan, 1, 1, nan, nan]);
  expect(guards.state).toMatchObject({ skipped: 3, skippedInARow: 1, dumps: 2 });
  const files = readdirSync(folder).filter((name) => name.startsWith("incident"));
  expect(files.sort()).toEqual([2, 5].flatMap((n) => [`incident-${n}.json`, `incident-${n}.safetensors`]));

  const report = JSON.parse(readFileSync(path.join(folder, "incident-2.json"), "utf8"));
  expect(report).toMatchObject({ step: 2, loss: null, gradientNorm: null, lossFinite: false, firstBad: "second" });
  expect(report.clips).toEqual({ file: "incident-2.safetensors", microBatch: 0, count: 2 });
  expect(report.microBatches.map(({ loss, sources }: { loss: number; sources: string[] }) => [loss, sources])).toEqual([
    [null, ["a2", "b2"]],
    [1, ["a3", "b3"]],
  ]);
  expect(report.microBatches[0].keys[1]).toEqual({ epoch: 0, place: 5, view: 0 });
  using clips = openSafetensors(path.join(folder, "incident-2.safetensors"));
  expect(clips.entry("video")).toMatchObject({ dtype: "U8", shape: [...shape] });
  expect(new Set(clips.read("video") as Uint8Array)).toEqual(new Set([2]));

  expect(notes[0]).toMatch(/update 2 was skipped: the loss was Infinity, and 1 gradients.*first that of second/);
  const events = records().filter(({ event }) => event === "skipped update");
  expect(events.map(({ update, skippedInARow, skippedInAll }) => [update, skippedInARow, skippedInAll])).toEqual([
    [2, 1, 1],
    [3, 2, 2],
    [5, 1, 3],
  ]);
  // Every update is there once, and every number is finite.
  expect(records().flatMap(({ step }) => step ?? [])).toEqual([2, 3, 5]);
  expect(JSON.stringify(records())).not.toMatch(/NaN|Infinity/);
});

it("goes on counting where it was resumed, and writes no more than a few batches", async () => {
  const state: GuardState = { ...noUpdates, skipped: 7, skippedInARow: 2, dumps: MOST_DUMPS - 1 };
  const { guards, records } = await run([nan, 1, 1, 1, nan, 1, 1, 1, nan, 1], { state });
  expect(guards.state).toMatchObject({ skipped: 10, skippedInARow: 1, dumps: MOST_DUMPS });
  expect(records().filter(({ event }) => event === "batch written")).toHaveLength(1);
  const ended = await run([nan, 1, 1, 1], { state, maxSkips: 3 });
  expect(ended.error?.message).toMatch(/update 1: .*3 updates in a row without; the last loss was NaN/);
});

it("tells of spikes in the log and to the user, and does nothing about them", async () => {
  const losses = Array.from({ length: 60 }, (_, i) => (i === 50 ? 9 : 1));
  const { notes, records, error } = await run(losses);
  expect(error).toBeUndefined();
  expect(notes).toEqual(["the loss of update 26 is 5.000, 5.0 times the recent median"]);
  expect(records().find(({ event }) => event === "loss spike")).toEqual({
    ...{ event: "loss spike", update: 26, loss: 5, median: 1, ratio: 5 },
  });
});
