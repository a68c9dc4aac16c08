// Graphs that are exported, run by ONNX Runtime: its outputs are ours.
import { execFile } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { noGrad } from "#lib/autograd/grad-mode.js";
import { type ExportOptions, exportOnnx } from "#lib/export/export-onnx.js";
import type { ClassifierConfig } from "#lib/models/classifier-config.js";
import type { PositionMode } from "#lib/nn/position-table.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { openClassifier } from "#lib/weights/open-model.js";
import { temporaryFolder } from "../temporary-folder.js";
import { small, writeClassifier, writePretrain } from "../weights/formula-model.js";

const folder = temporaryFolder();
let files = 0;
const file = (extension: string) => path.join(folder, `${files++}${extension}`);

/** The largest difference over the largest value. */
function maximalError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  expect(got.length).toBe(want.length);
  let [difference, largest] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    difference = Math.max(difference, Math.abs(got[i] - want[i]));
    largest = Math.max(largest, Math.abs(want[i]));
  }
  expect(largest).toBeGreaterThan(0);
  return difference / largest;
}

/** A batch of clips: the model's own input, and the same for the graph. */
function clips(kind: "f32" | "u8", count: number): { ours: Tensor; theirs: OnnxTensor } {
  const random = new RandomStream(3, "test.onnx", [count]);
  const { frames, image } = small;
  const size = count * 3 * frames * image ** 2;
  if (kind === "u8") {
    const bytes = Uint8Array.from({ length: size }, () => random.integer(256));
    const shape = [count, frames, image, image, 3];
    return { ours: Tensor.fromArray(bytes, shape, "u8"), theirs: new OnnxTensor("uint8", bytes, shape) };
  }
  const values = Float32Array.from({ length: size }, () => random.normal());
  const shape = [count, 3, frames, image, image];
  return { ours: Tensor.fromArray(values, shape), theirs: new OnnxTensor("float32", values, shape) };
}

async function compare(weights: string, options: ExportOptions = {}, position?: PositionMode): Promise<void> {
  const out = file(".onnx");
  const { input, output } = await exportOnnx(weights, out, { ...options, position });
  const session = await InferenceSession.create(out);
  const { model } = await openClassifier(weights, { config: options.config, position });
  using _model = model;
  for (const count of [1, 3]) {
    await scope(async () => {
      const { ours, theirs } = clips(input, count);
      const want = noGrad(() => (output === "logits" ? model.forward(ours) : model.features(ours)));
      const got = (await session.run({ video: theirs }))[output];
      expect(got.dims).toEqual(want.shape);
      expect(maximalError(got.data as Float32Array, want.readSync())).toBeLessThanOrEqual(1e-5);
    });
  }
  await session.release();
}

const configs: Record<string, Partial<ClassifierConfig>> = {
  "mean pooling and its norm": {},
  "the first token": { pooling: "first-token", norm: "tokens" },
  "layer scale": { layerScale: 0.1 },
  "cosine attention": { cosineAttention: true },
  "no q and v biases": { qkvBias: false },
  "other epsilons and MLP": { normEps: 1e-3, pooledNormEps: 1e-2, mlpRatio: 2.5 },
  "tubelets of 1 frame": { tubelet: 1 },
};

test.each(Object.entries(configs))("class scores: %s", async (_, config) => {
  await compare(writeClassifier(file(".safetensors"), config));
});

test("class scores of bytes, and features of a classifier", async () => {
  const weights = writeClassifier(file(".safetensors"), {});
  await compare(weights, { input: "u8" });
  await compare(weights, { output: "features" });
});

test.each(["tokens", "none"] as const)("features of an encoder whose norm is over %s", async (norm) => {
  await compare(writeClassifier(file(".safetensors"), { classes: 0, norm }));
});

test("features of a pre-training model, from bytes", async () => {
  await compare(writePretrain(file(".safetensors")), { input: "u8" });
});

test("a positional table that is interpolated", async () => {
  await compare(writeClassifier(file(".safetensors"), {}), {}, "interpolate");
});

test("weights in a second file", async () => {
  const weights = writeClassifier(file(".safetensors"), {});
  await compare(weights, { externalData: true });
  const data = path.join(folder, `${files - 1}.onnx.data`);
  expect(statSync(data).size).toBeGreaterThan(4 * 48 * 48 * 12);
  expect(statSync(data.replace(/\.data$/, "")).size).toBeLessThan(50_000);
});

test("statistics of pixels that come with the weights are those of the graph", async () => {
  const preprocessing = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] };
  const weights = writeClassifier(file(".safetensors"), {}, { preprocessing });
  const [bytes, floats] = [file(".onnx"), file(".onnx")];
  await exportOnnx(weights, bytes, { input: "u8" });
  await exportOnnx(weights, floats);
  const { theirs } = clips("u8", 1);
  const values = theirs.data as Uint8Array;
  const points = values.length / 3;
  const normalised = Float32Array.from({ length: values.length }, (_, i) => {
    const channel = Math.floor(i / points);
    return (values[(i % points) * 3 + channel] / 255 - preprocessing.mean[channel]) / preprocessing.std[channel];
  });
  const { frames, image } = small;
  const video = new OnnxTensor("float32", normalised, [1, 3, frames, image, image]);
  const scores = async (graph: string, input: OnnxTensor) => {
    const session = await InferenceSession.create(graph);
    const { logits } = await session.run({ video: input });
    await session.release();
    return logits.data as Float32Array;
  };
  expect(maximalError(await scores(bytes, theirs), await scores(floats, video))).toBeLessThanOrEqual(1e-5);
});

test("the command; class names are in the file", async () => {
  const labels = ["archery", "bowling", "chess", "diving", "eating"];
  const weights = writeClassifier(file(".safetensors"), {}, { labels });
  const out = file(".onnx");
  const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
  const run = (...args: string[]) => promisify(execFile)(process.execPath, [main, "export", ...args]);
  const { stdout } = await run(weights, out, "--input", "u8");
  expect(stdout).toBe(`${out}: u8 video to logits\n`);
  expect(readFileSync(out).includes(JSON.stringify(labels))).toBe(true);
  await expect(run(weights, out)).rejects.toThrow(/expected a path with nothing at it/);
  await expect(run(weights, file(".pb"))).rejects.toThrow(/expected an output that ends with \.onnx/);
});

test("what cannot be exported", async () => {
  const encoder = writeClassifier(file(".safetensors"), { classes: 0, norm: "tokens" });
  const out = file(".onnx");
  await expect(exportOnnx(encoder, out, { output: "logits" })).rejects.toThrow(/expected a model with a head/);
  await expect(exportOnnx(encoder, out, { input: "u16" as "u8" })).rejects.toThrow(/input: expected f32 or u8/);
  await expect(exportOnnx(encoder, out, { labels: ["a"] })).rejects.toThrow(/expected none: the model has no classes/);
  await expect(exportOnnx(encoder, out, { inputs: "u8" } as object)).rejects.toThrow(/did you mean "input"/);
  expect(existsSync(out)).toBe(false);
});
