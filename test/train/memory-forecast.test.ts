// A forecast against what a run then takes, in a process of its own.
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parsePretrainConfig } from "#lib/config/pretrain-config.js";
import { forecastMemory } from "#lib/train/memory-forecast.js";
import { makeClips } from "../../examples/make-clips.js";
import { runNode } from "../run-node.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const clips = path.join(folder, "clips");

beforeAll(async () => {
  await makeClips(clips, { count: 4, frames: 20 });
});

describe("what a run takes", () => {
  it.each([
    { model: "vit-tiny", batchSize: 4 },
    { model: "vit-tiny", batchSize: 3, views: 2, recompute: true },
    { model: "vit-tiny", batchSize: 2, accumulate: 3, maskRatio: 0.5, decoderMask: "none" },
    { model: "vit-small", batchSize: 1, depth: 3, workers: 1 },
    { model: "vit-small", batchSize: 2, depth: 3, recompute: true, dropPath: 0.1 },
    { model: "vit-tiny", batchSize: 4, dtype: "bf16" },
    { model: "vit-small", batchSize: 2, depth: 3, dtype: "bf16" },
  ])(
    "%o",
    async (shape) => {
      const options = { data: clips, out: path.join(folder, `run-${Math.random()}`), steps: 3, stride: 1, ...shape };
      const run = await runNode("train/measured-memory.mjs", { args: [JSON.stringify(options)] });
      expect([run.status, run.stderr]).toEqual([0, ""]);
      const { forecast, untouched, peak, held } = JSON.parse(run.stdout);
      expect(untouched).toMatchObject({ live: 0, peak: 0, cached: 0, tensors: 0 }); // a forecast takes no memory
      expect(peak / forecast.peak).toBeGreaterThan(0.9);
      expect(peak / forecast.peak).toBeLessThan(1.1);
      expect(held / forecast.host).toBeGreaterThan(0.8); // of small runs, most is the engine's own
      expect(held / forecast.host).toBeLessThan(1.2);
    },
    120_000,
  );
});

describe("a forecast", () => {
  const forecast = (options: object) => forecastMemory(parsePretrainConfig({ data: "x", workers: 0, ...options }));

  it("adds up", () => {
    for (const dtype of ["f32", "bf16"]) {
      const of = forecast({ model: "vit-small", dtype });
      const { parameters, gradients, copies, optimizer, tables, activations, peak, host } = of;
      expect(parameters).toBe(4 * 24_029_376);
      expect([gradients, optimizer, copies]).toEqual([
        parameters,
        2 * parameters,
        dtype === "bf16" ? parameters / 2 : 0,
      ]);
      expect(parameters + gradients + copies + optimizer + tables + activations).toBe(peak);
      expect(tables).toBeLessThan(0.3 * parameters);
      expect(host).toBeGreaterThan(peak);
      expect([of.device, of.onDevice, of.pinned]).toEqual(["cpu", 0, 0]);
    }
  });

  it("of bf16 has half the activations", () => {
    const of = (dtype: string) => forecast({ model: "vit-base", batchSize: 4, dtype }).activations;
    expect(of("bf16") / of("f32")).toBeGreaterThan(0.45);
    expect(of("bf16") / of("f32")).toBeLessThan(0.75);
  });

  it("grows with the batch, and shrinks with recomputation", () => {
    const of = (options: object) => forecast({ model: "vit-base", ...options }).activations;
    const [two, four] = [of({ batchSize: 2 }), of({ batchSize: 4 })];
    expect(four / two).toBeGreaterThan(1.8);
    expect(four / two).toBeLessThan(2.1);
    expect(of({ batchSize: 4, recompute: true })).toBeLessThan(four / 2);
    expect(of({ batchSize: 2, views: 2 })).toBe(four);
  });

  it("of the largest model takes a moment and no memory", () => {
    const before = process.memoryUsage().rss;
    expect(forecast({ model: "vit-giant", batchSize: 32, views: 4 }).peak).toBeGreaterThan(50e9);
    expect(process.memoryUsage().rss - before).toBeLessThan(1e9);
  });
});
