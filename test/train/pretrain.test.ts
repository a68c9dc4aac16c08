// The recipe on real encoded clips: stopping and resuming, accumulation, bad files, the log.
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { PretrainRunOptions } from "#lib/config/pretrain-config.js";
import { openCheckpoint } from "#lib/io/checkpoint.js";
import { openSafetensors } from "#lib/io/safetensors.js";
import { readJsonl } from "#lib/log/jsonl.js";
import { modelSize, parameterShapes } from "#lib/models/sizes.js";
import { devices } from "#lib/tensor/devices.js";
import { memory } from "#lib/tensor/memory.js";
import { pretrain } from "#lib/train/pretrain.js";
import type { TrainingStep } from "#lib/train/training-loop.js";
import { makeClips } from "../../examples/make-clips.js";
import { hasEmulator } from "../devices.js";
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
  const dtypes = [{ dtype: "f32" }, { dtype: "bf16" }, { dtype: "bf16", accumulate: 2, recompute: true }] as const;
  it.each(dtypes)(
    "gives the same numbers stopped and resumed as never stopped, whatever the workers: %o",
    async (how) => {
      const whole = await pretrain(options({ workers: 0, ...how }));
      expect(whole.done).toBe(8);

      const stopped = options({ workers: 2, ...how });
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
    },
  );

  it.skipIf(!hasEmulator)(
    "runs on a device, and goes on there with the same numbers",
    async () => {
      const how = {
        device: "emu",
        dtype: "bf16",
        batchSize: 2,
        steps: 5,
        accumulate: 2,
        saveEvery: 2,
        maskRatio: 0.9,
      } as const;
      const before = memory("emu").live;
      const whole = await pretrain(options(how));
      expect(whole.done).toBe(5);
      const stopped = options(how);
      const stop = new AbortController();
      const first = await pretrain(stopped, { signal: stop.signal, onStep: ({ step }) => step === 3 && stop.abort() });
      expect(first.done).toBeLessThan(5);
      const second = await pretrain(stopped);
      expect(contents(second.checkpoint)).toEqual(contents(whole.checkpoint));
      expect(memory("emu").live).toBe(before);

      const losses = new Map<string, number[]>();
      for (const device of ["cpu", "emu"] as const) {
        const seen: number[] = [];
        await pretrain(options({ ...how, device, dtype: "f32" }), { onStep: ({ loss }) => seen.push(loss) });
        losses.set(device, seen);
      }
      for (const [i, loss] of losses.get("cpu")!.entries()) expect(losses.get("emu")![i]).toBeCloseTo(loss, 3);
    },
    600_000,
  );

  it.skipIf(devices().noGpu === undefined)("says what is missing where there is no GPU", async () => {
    await expect(pretrain(options({ device: "cuda" }))).rejects.toThrow(devices().noGpu!.message);
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
    const changes = { steps: 6, seed: 1, dtype: "bf16" } as const;
    const { log } = await pretrain({ ...run, ...changes }, { onNote: (note) => notes.push(note) });
    expect(notes.slice(1)).toEqual([
      expect.stringContaining('dtype "auto" -> "bf16"'),
      expect.stringContaining("steps 6 where the run had 4"),
      expect.stringContaining("seed 1 where the run had 0"),
      expect.stringContaining('dtype "bf16" where the run had "f32"'),
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

  it("lists bad files once, goes on with what it knew of them, and leaves them out when told to", async () => {
    const names = ["0", "1", "2", "3", "late", "absent"];
    const list = path.join(folder, "late.csv");
    const late = path.join(folder, "late.mp4");
    for (const name of names.slice(0, 4)) {
      copyFileSync(path.join(clips, `clip-00${name}.mp4`), path.join(folder, `${name}.mp4`));
    }
    writeFileSync(list, names.map((name) => `${name}.mp4 0 -1`).join("\n"));
    // One of the bad files is repaired after the third update.
    const play = async (run: PretrainRunOptions, stopAfter: number) => {
      const stop = new AbortController();
      const onStep = ({ step }: TrainingStep) => {
        if (step === 3) copyFileSync(path.join(clips, "clip-004.mp4"), late);
        if (step === stopAfter) stop.abort();
      };
      return pretrain(run, { signal: stop.signal, onStep, onBadFile: () => {} });
    };
    const changes = { data: list, batchSize: 2, steps: 12, maxBadFraction: 0.9 };
    const whole = await play(options(changes), Number.NaN);
    rmSync(late);
    const stopped = options(changes);
    await play(stopped, 5);
    const second = await play(stopped, Number.NaN);
    expect(contents(second.checkpoint)).toEqual(contents(whole.checkpoint));
    expect(second.data).toEqual(whole.data);
    expect(whole.data).toMatchObject([{ videos: 24, bad: 2 }]);
    expect(readJsonl(whole.log).at(-1)).toEqual({ event: "data read", parts: whole.data });

    const listed = path.join(stopped.out!, "quarantine.jsonl");
    const records = readJsonl(listed);
    expect(records.map((record) => record.path).sort()).toEqual([path.join(folder, "absent.mp4"), late]);
    for (const record of records) {
      expect(record).toMatchObject({
        epoch: 0,
        place: expect.any(Number),
        reason: expect.stringContaining("no such file"),
      });
      expect(Number.isNaN(Date.parse(String(record.date)))).toBe(false);
    }
    const notes: string[] = [];
    const clean = options({ ...changes, exclude: listed });
    const third = await pretrain(clean, { onNote: (note) => notes.push(note) });
    expect(third.data).toMatchObject([{ count: 4, bad: 0, replaced: 0 }]);
    expect(notes).toContain(`2 videos left out because ${listed} names them`);
    expect(existsSync(path.join(clean.out!, "quarantine.jsonl"))).toBe(false);
  });

  it("reads a mixture in its shares, and says so", async () => {
    const other = path.join(folder, "other");
    await makeClips(other, { count: 4, frames: 20, seed: 5 });
    const data = [
      { path: clips, weight: 1, name: "one" },
      { path: other, weight: 2, stride: 1, name: "two" },
    ];
    const notes: string[] = [];
    const { log, data: read } = await pretrain(options({ data, steps: 4 }), { onNote: (note) => notes.push(note) });
    expect(notes).toEqual(expect.arrayContaining(["one: 10 videos, 33.3 %", "two: 4 videos, 66.7 %"]));
    expect(read.map(({ name, videos }) => [name, videos])).toEqual([
      ["one", 4],
      ["two", 8],
    ]);
    expect(readJsonl(log).find(({ step }) => step === 4)).toMatchObject({
      replaced: 0,
      data: { one: { videos: 4, replaced: 0, bad: 0 }, two: { videos: 8, replaced: 0, bad: 0 } },
    });
  });

  it("skips updates that are not finite, says why, keeps the batch, and gives up after so many", async () => {
    const seen: TrainingStep[] = [];
    const notes: string[] = [];
    const run = options({ lr: 1e30, steps: 40, warmupSteps: 0, weightDecay: 0, maxSkips: 4 });
    const control = { onStep: (step: TrainingStep) => seen.push(step), onNote: (note: string) => notes.push(note) };
    await expect(pretrain(run, control)).rejects.toThrow(/4 updates in a row without/);
    const skipped = seen.filter((step) => step.skipped);
    expect(skipped.length).toBe(4);
    expect(notes.filter((note) => note.includes("was skipped")).length).toBe(4);

    const records = readJsonl(path.join(run.out!, "log.jsonl"));
    const events = records.filter(({ event }) => event === "skipped update");
    expect(events.map(({ skippedInARow }) => skippedInARow)).toEqual([1, 2, 3, 4]);
    const names = new Set(["mask_token", ...parameterShapes(modelSize("vit-tiny")).map(([name]) => name)]);
    for (const { firstBad } of events) expect(firstBad === null || names.has(`${firstBad}`), `${firstBad}`).toBe(true);
    expect(JSON.stringify(records)).not.toMatch(/NaN|Infinity/);

    const first = skipped[0].step;
    const incident = JSON.parse(readFileSync(path.join(run.out!, `incident-${first}.json`), "utf8"));
    expect(incident.microBatches[0].sources.every((source: string) => source.startsWith(clips))).toBe(true);
    using file = openSafetensors(path.join(run.out!, `incident-${first}.safetensors`));
    expect(file.entry("video").shape).toEqual([3, 8, 32, 32, 3]);
    const fine = records.filter(({ event, step }) => event === undefined && step !== undefined);
    expect(fine.map(({ step }) => step)).toEqual(seen.map(({ step }) => step));
  });

  it("does nothing but return when it is asked to stop before it begins", async () => {
    const signal = AbortSignal.abort();
    const run = options();
    expect(await pretrain(run, { signal })).toMatchObject({ done: 0, checkpoint: "" });
    await pretrain({ ...run, steps: 2 });
    const stopped = await pretrain({ ...run, steps: 4 }, { signal });
    expect(stopped).toMatchObject({ done: 2, checkpoint: path.join(run.out!, "checkpoint-2.safetensors") });
  });

  it("says what is wrong with options and data", async () => {
    await expect(pretrain(options({ data: path.join(folder, "nowhere") }))).rejects.toThrow(/nowhere/);
    await expect(pretrain({ ...options(), maskRatoi: 0.5 } as never)).rejects.toThrow(/did you mean "maskRatio"/);
    await expect(pretrain(options({ model: "vit-smal" }))).rejects.toThrow(/did you mean "vit-small"/);
  });
});
