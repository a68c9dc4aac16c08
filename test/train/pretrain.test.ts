// The recipe on real encoded clips: stopping and resuming, accumulation, bad files, the log.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { PretrainRunOptions } from "#lib/config/pretrain-config.js";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { memory } from "#lib/tensor/memory.js";
import { pretrain } from "#lib/train/pretrain.js";
import type { TrainingStep } from "#lib/train/training-loop.js";
import { makeClips } from "../../examples/make-clips.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const clips = path.join(folder, "clips");

beforeAll(async () => {
  await makeClips(clips, { count: 10, frames: 20 });
});

let runs = 0;
function options(changes: Partial<PretrainRunOptions> = {}): PretrainRunOptions {
  return {
    data: clips,
    out: path.join(folder, `run-${runs++}`),
    model: "vit-tiny",
    stride: 2,
    batchSize: 3,
    steps: 8,
    warmupSteps: 2,
    lr: 0.1,
    mask: "tube",
    maskRatio: 0.75,
    dropPath: 0.2,
    logEvery: 1,
    saveEvery: 100,
    ...changes,
  };
}

/** Everything a checkpoint holds, by name. */
function contents(file: string): Map<string, Float32Array> {
  using checkpoint = openCheckpoint(file);
  const all = new Map<string, Float32Array>();
  for (const part of ["model", "expAvg", "expAvgSq"] as const) {
    for (const name of checkpoint.names(part)) all.set(`${part} ${name}`, checkpoint.read(part, name).data);
  }
  return all;
}

describe("pretrain", () => {
  it("gives the same numbers stopped and resumed as never stopped, whatever the workers", async () => {
    const whole = await pretrain(options({ workers: 0 }));
    expect(whole.done).toBe(8);

    const stopped = options({ workers: 2 });
    const stop = new AbortController();
    const first = await pretrain(stopped, { signal: stop.signal, onStep: ({ step }) => step === 3 && stop.abort() });
    expect(first.done).toBe(3);
    const notes: string[] = [];
    const second = await pretrain(stopped, { onNote: (note) => notes.push(note) });
    expect(notes).toEqual(["positional table for 4 x 4 x 4 tokens: a sinusoid made for this grid"]);
    expect(second.done).toBe(8);
    expect(contents(second.checkpoint)).toEqual(contents(whole.checkpoint));

    const numbers = (log: string) =>
      readJsonl(log)
        .filter(({ event }) => event === undefined)
        .map(({ step, loss, gradientNorm }) => ({ step, loss, gradientNorm }));
    expect(numbers(second.log)).toEqual(numbers(whole.log));
  });

  it("frees every tensor", async () => {
    const before = memory().tensors;
    await pretrain(options({ steps: 3 }));
    expect(memory().tensors).toBe(before);
    expect(memory().leaked).toBe(0);
  });

  it("says when a resumed run has other options, and forgets the log beyond its checkpoint", async () => {
    const run = options({ steps: 4, saveEvery: 2 });
    await pretrain(run);
    writeFileSync(
      path.join(run.out!, "log.jsonl"),
      `${readFileSync(path.join(run.out!, "log.jsonl"), "utf8")}{"step":9}\n{"st`,
    );
    const notes: string[] = [];
    const { log } = await pretrain({ ...run, steps: 6, seed: 1 }, { onNote: (note) => notes.push(note) });
    expect(notes.slice(1)).toEqual([
      expect.stringContaining("steps 6 where the run had 4"),
      expect.stringContaining("seed 1 where the run had 0"),
    ]);
    const steps = readJsonl(log).flatMap(({ step }) => (typeof step === "number" ? [step] : []));
    expect(steps).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("refuses a checkpoint of another model", async () => {
    const run = options({ steps: 2 });
    await pretrain(run);
    await expect(pretrain({ ...run, decoderDepth: 1 })).rejects.toThrow(/decoderDepth 1; got decoderDepth 2/);
  });

  it("adds up micro-batches to the update of one large batch, up to rounding", async () => {
    const seen: Record<string, TrainingStep[]> = { large: [], small: [] };
    const shared = { epochs: undefined, steps: 2, dropPath: 0, views: 1, lr: 0.01 } as const;
    await pretrain(options({ ...shared, batchSize: 4 }), { onStep: (step) => seen.large.push(step) });
    await pretrain(options({ ...shared, batchSize: 2, accumulate: 2 }), { onStep: (step) => seen.small.push(step) });
    for (const [i, large] of seen.large.entries()) {
      expect(seen.small[i].loss).toBeCloseTo(large.loss, 4);
      expect(seen.small[i].gradientNorm / large.gradientNorm).toBeCloseTo(1, 3);
      expect(seen.small[i].clips).toBe(large.clips);
      expect(seen.small[i].learningRate).toBe(large.learningRate);
    }
  });

  it("names a bad file with its reason, goes on, and logs it", async () => {
    const mixed = path.join(folder, "mixed.csv");
    const broken = path.join(folder, "broken.mp4");
    copyFileSync(path.join(clips, "clip-000.mp4"), broken);
    writeFileSync(broken, readFileSync(broken).subarray(0, 200));
    const good = Array.from({ length: 5 }, (_, i) => `clips/clip-00${i}.mp4 0 -1`);
    writeFileSync(mixed, [...good, "broken.mp4 0 -1", "absent.mp4 0 -1"].join("\n"));
    const bad: string[] = [];
    const run = options({ data: mixed, steps: 6 });
    const { log, done } = await pretrain(run, { onBadFile: ({ source, reason }) => bad.push(`${source}: ${reason}`) });
    expect(done).toBe(6);
    expect(bad.length).toBe(2);
    expect(bad.join("\n")).toMatch(/absent\.mp4/);
    expect(readJsonl(log).filter(({ event }) => event === "bad file").length).toBe(2);
  });

  it("ends with an error when gradients stay non-finite, and before that changes nothing", async () => {
    const seen: TrainingStep[] = [];
    const run = options({ lr: 1e30, steps: 40, warmupSteps: 0, weightDecay: 0 });
    await expect(pretrain(run, { onStep: (step) => seen.push(step) })).rejects.toThrow(
      /expected a finite loss and gradient/,
    );
    expect(seen.filter(({ skipped }) => skipped).length).toBe(10);
  });

  it("says what is wrong with options and data", async () => {
    await expect(pretrain(options({ data: path.join(folder, "nowhere") }))).rejects.toThrow(/nowhere/);
    await expect(pretrain({ ...options(), maskRatoi: 0.5 } as never)).rejects.toThrow(/did you mean "maskRatio"/);
    await expect(pretrain(options({ model: "vit-smal" }))).rejects.toThrow(/did you mean "vit-small"/);
  });
});
