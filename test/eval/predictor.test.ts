// A predictor gives what its model gives, keeps the event loop free, survives what goes wrong, and gives memory back.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { noGrad } from "#lib/autograd/grad-mode.js";
import { validationFrames } from "#lib/data/view-sampling.js";
import type { DecodedClip } from "#lib/eval/clip-source.js";
import { detectionFeatures, features, openPredictor, type PredictorOptions, predict } from "#lib/eval/predictor.js";
import { type StoredTensor, writeSafetensors } from "#lib/io/safetensors.js";
import { type ClassifierModel, classifierModel } from "#lib/models/classifier.js";
import { interpolate, resizeLinear } from "#lib/ops/resize.js";
import { softmax } from "#lib/ops/softmax.js";
import { memory } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { largestDifference } from "../compare.js";
import { hasEmulator } from "../devices.js";
import { sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const [frames, image, classes] = [8, 32, 7];
const predictor = { config: { image, frames } };

/** A model and the file of its weights; dispose of the model. */
function tinyModel(): { model: ClassifierModel; weights: string } {
  const model = classifierModel("vit-tiny", { classes, seed: 4, headInitScale: 40 }).train(false);
  return { model, weights: save(model, "tiny") };
}

function save(model: ClassifierModel, name: string): string {
  const path = join(folder, `${name}.safetensors`);
  const tensors = model.namedParameters().map(
    ([key, { shape, value }]): StoredTensor => ({
      ...{ name: key, dtype: "F32", shape },
      data: (value.readSync() as Float32Array).map((x, i) => (key.endsWith("_bias") ? 0.01 * (i % 7) : x)),
    }),
  );
  writeSafetensors(path, tensors);
  for (const [i, [, { value }]] of model.namedParameters().entries()) value.write(tensors[i].data as Float32Array);
  return path;
}

/** Frames that differ from each other and from left to right. */
function clip(count: number, width = 50, height = 40): DecodedClip {
  const data = Uint8Array.from({ length: count * height * width * 3 }, (_, i) => {
    const t = Math.floor(i / (height * width * 3));
    return (Math.imul(i + 1, 2654435761) >>> 26) + 10 * (t % 19) + (Math.floor(i / 3) % width);
  });
  return { data, shape: [count, height, width, 3] };
}

const pick = ({ data, shape: [, height, width] }: DecodedClip, numbers: readonly number[]): Tensor => {
  const size = height * width * 3;
  const chosen = new Uint8Array(numbers.length * size);
  for (const [i, n] of numbers.entries()) chosen.set(data.subarray(n * size, (n + 1) * size), i * size);
  return Tensor.fromArray(chosen, [numbers.length, height, width, 3]);
};

test("predict gives the model's probabilities of the validation clip, and names", async () => {
  const { model, weights } = tinyModel();
  using _model = model;
  const video = clip(50);
  const expected = scope(() => {
    const chosen = pick(video, validationFrames(50, { frames, stride: 4, sampling: "dense" }));
    const cropped = resizeLinear(chosen, { width: 40, height: 32 }, { x: 4, y: 0, width: image, height: image });
    const scores = noGrad(() => model.forward(cropped.view([1, frames, image, image, 3])));
    return [...softmax(scores).readSync()];
  });
  await using opened = await openPredictor(weights, predictor);
  const { top, probabilities } = await opened.predict(video, { top: 3 });
  expect(largestDifference(probabilities, expected)).toBeLessThanOrEqual(1e-6);
  expect(top.map(({ index }) => index)).toEqual(
    [...expected.keys()].sort((a, b) => expected[b] - expected[a]).slice(0, 3),
  );
  expect(top[0].probability).toBe(Math.max(...probabilities));
  expect(top[0].label).toBeUndefined();
  expect(await predict(video, { weights, predictor, top: 3 })).toEqual({ top, probabilities });
});

const computes = [
  { dtype: "bf16" },
  ...(hasEmulator ? [{ device: "emu" }, { device: "emu", dtype: "bf16" }] : []),
] as const;
test.each(computes)("predict computes %o", async (how) => {
  const { model, weights } = tinyModel();
  model.dispose();
  const { probabilities: expected } = await predict(clip(50), { weights, predictor });
  const { probabilities } = await predict(clip(50), {
    weights,
    predictor: { ...predictor, ...(how as PredictorOptions) },
  });
  expect(largestDifference(probabilities, expected)).toBeLessThanOrEqual("dtype" in how ? 5e-3 : 1e-5);
  expect(probabilities).not.toEqual(expected);
});

test("several views are averaged, and a folder's id2label names classes", async () => {
  const { model, weights } = tinyModel();
  model.dispose();
  await using opened = await openPredictor(weights, predictor);
  const video = clip(90, 80, 40);
  const one = await opened.predict(video);
  const many = await opened.predict(video, { segments: 3, crops: 2 });
  expect(many.probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
  expect([...many.probabilities]).not.toEqual([...one.probabilities]);
  // Averaging the views one by one: six predictors' worth of crops and clips.
  const still: DecodedClip = { data: new Uint8Array(90 * 40 * 40 * 3).fill(77), shape: [90, 40, 40, 3] };
  const flat = await opened.predict(still, { segments: 3, crops: 2 });
  const single = await opened.predict(still);
  expect(largestDifference(flat.probabilities, single.probabilities)).toBeLessThanOrEqual(1e-6);
});

describe("features", () => {
  it("of one clip are the model's", async () => {
    const { model, weights } = tinyModel();
    using _model = model;
    const video = clip(20);
    const expected = scope(() => {
      const chosen = pick(video, validationFrames(20, { frames, stride: 4, sampling: "dense" }));
      const cropped = resizeLinear(chosen, { width: 40, height: 32 }, { x: 4, y: 0, width: image, height: image });
      return noGrad(() => model.features(cropped.view([1, frames, image, image, 3]))).readSync();
    });
    const { values, shape } = await features(video, { weights, predictor });
    expect(shape).toEqual([1, 48]);
    expect(largestDifference(values, expected)).toBeLessThanOrEqual(1e-6);
  });

  it.each(["crop", "stretch", "stretch-normalized"] as const)(
    "of windows, %s, each as if it were alone",
    async (mode) => {
      const { model, weights } = tinyModel();
      using _model = model;
      const video = clip(150); // more than are decoded at a time
      const seen: number[] = [];
      await using opened = await openPredictor(weights, predictor);
      const { values, shape, starts } = await opened.features(video, {
        ...detectionFeatures,
        mode,
        window: 9,
        onProgress: ({ done, total }) => void seen.push(done / total),
      });
      expect(starts).toEqual(Array.from({ length: 16 }, (_, i) => 9 * i));
      expect(shape).toEqual([16, 48]);
      expect(seen).toHaveLength(16);
      expect(seen.at(-1)).toBe(1);
      const means = [0.485, 0.456, 0.406];
      const stds = [0.229, 0.224, 0.225];
      for (const w of [0, 5, 15]) {
        const expected = scope(() => {
          const chosen = pick(
            video,
            Array.from({ length: frames }, (_, t) => starts[w] + t),
          );
          if (mode === "crop") {
            const cropped = resizeLinear(
              chosen,
              { width: 40, height: 32 },
              { x: 4, y: 0, width: image, height: image },
            );
            return noGrad(() => model.features(cropped.view([1, frames, image, image, 3]))).readSync();
          }
          const plane = frames * image * image;
          const pixels = (
            interpolate(chosen, { x: 0, y: 0, width: 50, height: 40 }, image).readSync() as Float32Array
          ).map((value, i) => {
            const c = Math.floor(i / plane);
            return mode === "stretch" ? value : (value - means[c]) / stds[c];
          });
          return noGrad(() => model.features(Tensor.fromArray(pixels, [1, 3, frames, image, image]))).readSync();
        });
        expect(largestDifference(values.subarray(w * 48, (w + 1) * 48), expected)).toBeLessThanOrEqual(2e-6);
      }
    },
  );

  it("statistics other than ImageNet's are applied", async () => {
    const { model, weights } = tinyModel();
    using _model = model;
    const video = clip(8, 32, 32);
    const preprocessing = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] };
    const { values } = await features(video, { weights, predictor: { ...predictor, preprocessing }, stride: 1 });
    const expected = scope(() => {
      const numbers = validationFrames(8, { frames, stride: 1, sampling: "dense" });
      const bytes = pick(video, numbers).readSync();
      const plane = frames * image * image;
      const pixels = Float32Array.from({ length: 3 * plane }, (_, i) => {
        const c = Math.floor(i / plane);
        return (bytes[(i % plane) * 3 + c] / 255 - preprocessing.mean[c]) / preprocessing.std[c];
      });
      return noGrad(() => model.features(Tensor.fromArray(pixels, [1, 3, frames, image, image]))).readSync();
    });
    expect(largestDifference(values, expected)).toBeLessThanOrEqual(1e-5);
  });
});

describe("what goes wrong", () => {
  it("is an error of that clip alone", async () => {
    const { model, weights } = tinyModel();
    model.dispose();
    await using opened = await openPredictor(weights, predictor);
    const broken = join(folder, "broken.mp4");
    writeFileSync(broken, "no video");
    const outcomes = await Promise.allSettled([
      opened.predict(clip(9)),
      opened.predict(broken),
      opened.predict({ data: new Uint8Array(5), shape: [1, 2, 2, 3] }),
      opened.features(clip(7), { window: 1 }),
      opened.features(clip(9), { window: 1 }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    const reason = (i: number) => (outcomes[i] as PromiseRejectedResult).reason;
    expect(reason(1)).toMatchObject({ name: "VideomaeError" });
    expect(reason(2).message).toMatch(/decoded frames: expected .*; got 5 bytes for \[1, 2, 2, 3\]/);
    expect(reason(3).message).toMatch(/at least 8 frames; got 7/);
  });

  it("is said before anything is computed", async () => {
    const { model, weights } = tinyModel();
    model.dispose();
    await expect(openPredictor(join(folder, "nowhere"))).rejects.toThrow(/no such file/);
    await expect(openPredictor(weights, { confg: {} } as object)).rejects.toThrow(/did you mean "config"/);
    await expect(openPredictor(weights, { config: { depth: 3 } })).rejects.toThrow(/missing 13: blocks\.2\./);
    await expect(openPredictor(weights, { decodeTimeout: -1 })).rejects.toThrow(/decodeTimeout of 0 seconds or more/);
    await using opened = await openPredictor(weights, predictor);
    await expect(opened.predict(clip(9), { top: 0 })).rejects.toThrow(/top to be an integer/);
    await expect(opened.predict(clip(9), { croops: 1 } as object)).rejects.toThrow(/did you mean "crops"/);
    await expect(opened.predict(clip(9), { segments: 0 })).rejects.toThrow(/clips to be an integer/);
    await expect(opened.features(clip(9), { mode: "squash" as "crop" })).rejects.toThrow(/a mode out of crop/);
    await expect(opened.features(clip(9), { sampling: "all" as "dense" })).rejects.toThrow(/"dense" or "sparse"/);
    using bare = classifierModel("vit-tiny", { classes: 0 });
    await using extractor = await openPredictor(save(bare, "bare"), predictor);
    await expect(extractor.predict(clip(9))).rejects.toThrow(/expected a model with a head/);
  });

  it("work can be given up, and the predictor goes on", async () => {
    const { model, weights } = tinyModel();
    model.dispose();
    await using opened = await openPredictor(weights, predictor);
    const stop = new AbortController();
    const long = opened.features(clip(2000), {
      window: 1,
      signal: stop.signal,
      onProgress: ({ done }) => done === 3 && stop.abort(new Error("enough")),
    });
    await expect(long).rejects.toThrow("enough");
    await expect(opened.predict(clip(9), { signal: stop.signal })).rejects.toThrow("enough");
    expect((await opened.predict(clip(9))).top).toHaveLength(5);
  });

  it("after its end it says so; ending it twice is no mistake", async () => {
    const { model, weights } = tinyModel();
    model.dispose();
    const opened = await openPredictor(weights, predictor);
    const last = opened.predict(clip(9));
    await Promise.all([opened.dispose(), opened.dispose()]);
    expect((await last).top).toHaveLength(5);
    await expect(opened.predict(clip(9))).rejects.toThrow(/disposed of/);
  });
});

test("answers do not depend on what else is asked at the same time", async () => {
  const { model, weights } = tinyModel();
  model.dispose();
  await using opened = await openPredictor(weights, predictor);
  const clips = [9, 30, 60].map((count) => clip(count));
  const alone: unknown[] = [];
  for (const video of clips) alone.push(await opened.predict(video));
  expect(await Promise.all(clips.map((video) => opened.predict(video)))).toEqual(alone);
});

test("gives all native memory back", async () => {
  const { model, weights } = tinyModel();
  model.dispose();
  const before = memory().live;
  for (let i = 0; i < 3; i++) {
    await using opened = await openPredictor(weights, predictor);
    await opened.predict(clip(9));
    await opened.features(clip(20), { window: 4 });
  }
  expect(memory().live).toBe(before);
});

test("the event loop stays free while a ViT-S clip is worked on", async () => {
  using model = classifierModel("vit-small", { classes: 400, seed: 1 });
  await using opened = await openPredictor(save(model, "small"));
  const video: DecodedClip = {
    data: new Uint8Array(new SharedArrayBuffer(64 * 256 * 340 * 3)),
    shape: [64, 256, 340, 3],
  };
  /** The largest time between two beats of a 10 ms timer while `body` runs, in ms. */
  const largestGap = async (body: () => Promise<unknown>): Promise<number> => {
    let [last, largest] = [performance.now(), 0];
    const timer = setInterval(() => {
      const now = performance.now();
      largest = Math.max(largest, now - last);
      last = now;
    }, 10);
    await body();
    clearInterval(timer);
    return largest;
  };
  // Other programs may hold the processor: what this machine does to the timer by itself is allowed for, and one try out
  // of three without a stall is enough, for a computation on this thread would stall every one.
  for (let attempt = 1; ; attempt++) {
    const begun = performance.now();
    const gap = await largestGap(() => opened.predict(video));
    const took = performance.now() - begun;
    const idle = await largestGap(() => new Promise((done) => setTimeout(done, took)));
    const ms = (time: number) => `${time.toFixed(0)} ms`;
    console.log(`ViT-S clip: ${ms(took)}, largest gap of a 10 ms timer ${ms(gap)}, without a clip ${ms(idle)}`);
    expect(took).toBeGreaterThan(100);
    if (gap <= 50 + idle) break;
    expect(attempt).toBeLessThan(3);
  }
});

const real = join(sharedFolder, "data/videos");
test.skipIf(!existsSync(real))("reads a folder of real videos", async () => {
  const { model, weights } = tinyModel();
  model.dispose();
  await using opened = await openPredictor(weights, predictor);
  const { readSources } = await import("#lib/data/lists.js");
  const sources = readSources(real).slice(0, 6);
  expect(sources.length).toBeGreaterThan(0);
  const results = await Promise.allSettled(sources.map((source) => opened.predict(source)));
  expect(results.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
});
