// Weights written in every layout and read back: the same bits, the same model; and what a layout cannot hold.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { noGrad } from "#lib/autograd/grad-mode.js";
import { openSafetensors, writeSafetensors } from "#lib/io/safetensors.js";
import type { ClassifierConfig } from "#lib/models/classifier-config.js";
import { RandomStream } from "#lib/random.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { convertWeights } from "#lib/weights/convert-weights.js";
import { type LayoutName, layouts } from "#lib/weights/layouts.js";
import { openClassifier, openPretrain } from "#lib/weights/open-model.js";
import { havePython, python } from "../io/python.js";
import { temporaryFolder } from "../temporary-folder.js";
import { small, writeClassifier, writePretrain } from "./formula-model.js";

const folder = temporaryFolder();
let files = 0;
const fresh = (layout?: LayoutName) =>
  path.join(folder, `${files++}${layout === undefined || layout.startsWith("official") ? ".safetensors" : ""}`);
const convert = async (from: string, to: LayoutName, options: object = {}) =>
  (await convertWeights(from, fresh(to), { to, ...options })).path;

/** The numbers of a file as bits, by name. */
function bitsIn(file: string): Map<string, Buffer> {
  using opened = openSafetensors(
    existsSync(path.join(file, "config.json")) ? path.join(file, "model.safetensors") : file,
  );
  return new Map(opened.names.map((name) => [name, Buffer.from(opened.read(name).buffer)]));
}

function expectSame(file: string, other: string): void {
  const [got, want] = [bitsIn(file), bitsIn(other)];
  expect([...got.keys()].sort()).toEqual([...want.keys()].sort());
  for (const [name, bytes] of want) expect(got.get(name)!.equals(bytes), name).toBe(true);
}

const holding = (kind: string) => Object.values(layouts).filter(({ holds }) => holds.includes(kind as "encoder"));
const sources = {
  "pre-training model": () => writePretrain(fresh()),
  classifier: () => writeClassifier(fresh(), {}),
  "classifier of the first token": () => writeClassifier(fresh(), { pooling: "first-token", norm: "tokens" }),
  "classifier without q and v biases": () => writeClassifier(fresh(), { qkvBias: false }),
  encoder: () => writeClassifier(fresh(), { classes: 0, norm: "tokens" }),
  "encoder without its last norm": () => writeClassifier(fresh(), { classes: 0, norm: "none" }),
};
const pairs = Object.entries(sources).flatMap(([title, write]) => {
  const kind = ["pre-training model", "classifier", "encoder"].find((k) => title.startsWith(k))!;
  const names = holding(kind).map(({ name }) => name);
  return names.flatMap((a) => names.map((b) => ({ title, a, b, write })));
});

test.each(pairs)("$title: $a to $b and back has the same bits", async ({ a, b, write }) => {
  const original = write();
  const inA = await convert(original, a);
  const inB = await convert(inA, b);
  expectSame(await convert(inB, a), inA);
  const official = original.replace(/\.safetensors$/, "-again.safetensors");
  const home =
    holding("encoder").some(({ name }) => name === a) || a.endsWith("classifier")
      ? "official-classifier"
      : "official-pretrain";
  await convertWeights(inB, official, { to: home });
  expectSame(official, original);
});

test("all that an official file cannot tell comes back from its header", async () => {
  const config = { image: 48, frames: 8, heads: 4, layerScale: 0.1, cosineAttention: true, normEps: 1e-5 };
  const original = writeClassifier(fresh(), config, { labels: ["a", "b", "c", "d", "e"] });
  const { model, labels } = await openClassifier(await convert(original, "official-classifier"));
  using _model = model;
  expect(model.config).toMatchObject({ ...config, classes: 5 });
  expect(labels).toEqual(["a", "b", "c", "d", "e"]);
});

test("a folder of Hugging Face has the model's size, classes and pixels", async () => {
  const preprocessing = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4], shortSide: 40 };
  const original = writeClassifier(fresh(), { mlpRatio: 2.5, normEps: 1e-3 }, { preprocessing });
  const labels = ["a", "b", "c", "d", "e"];
  const hub = await convert(original, "hugging-face-classifier", { labels });
  expect(readdirSync(hub).sort()).toEqual(["config.json", "model.safetensors", "preprocessor_config.json"]);
  const opened = await openClassifier(hub);
  using model = opened.model;
  expect(model.config).toMatchObject({ ...small, classes: 5, mlpRatio: 2.5, normEps: 1e-3, pooledNormEps: 1e-5 });
  expect(opened.labels).toEqual(labels);
  expect(opened.preprocessing).toEqual(preprocessing);
});

test("the encoder alone, of a pre-training model and of a classifier", async () => {
  const pretrain = await convert(writePretrain(fresh()), "hugging-face-model", { encoder: true });
  expect([...bitsIn(pretrain).keys()].filter((name) => /decoder|mask/.test(name))).toEqual([]);
  const { model } = await openClassifier(pretrain);
  expect(model.config).toMatchObject({ classes: 0, norm: "tokens" });
  model.dispose();
  const bare = await convert(writeClassifier(fresh(), {}), "official-classifier", { encoder: true });
  expect([...bitsIn(bare).keys()].filter((name) => /head|norm\.w/.test(name))).toEqual([]);
  const other = await openClassifier(bare);
  expect(other.model.config).toMatchObject({ classes: 0, norm: "none" });
  other.model.dispose();
});

test("bf16: rounded once, and then the same bits", async () => {
  const rounded = await convert(writeClassifier(fresh(), {}), "hugging-face-classifier", { dtype: "bf16" });
  const again = await convert(await convert(rounded, "official-classifier"), "hugging-face-classifier", {
    dtype: "bf16",
  });
  expectSame(again, rounded);
  using opened = openSafetensors(path.join(rounded, "model.safetensors"));
  expect(new Set(opened.names.map((name) => opened.entry(name).dtype))).toEqual(new Set(["BF16"]));
  const config = JSON.parse(readFileSync(path.join(rounded, "config.json"), "utf8"));
  expect(config.torch_dtype).toBe("bfloat16");
});

test("epsilons that other programs compute with are warned of", async () => {
  const { warnings } = await convertWeights(writeClassifier(fresh(), {}), fresh("hugging-face-classifier"), {
    to: "hugging-face-classifier",
  });
  expect(warnings).toEqual([expect.stringMatching(/over the pooled vector with epsilon 0\.00001, not 0\.000001/)]);
});

const layerScale = { layerScale: 0.1 };
test.each<[string, () => string, LayoutName, RegExp]>([
  [
    "a classifier as a pre-training model",
    () => writeClassifier(fresh(), {}),
    "official-pretrain",
    /holds: pre-training model; got .*a classifier.*official-classifier or hugging-face-classifier can/,
  ],
  [
    "a head where there is none",
    () => writeClassifier(fresh(), {}),
    "hugging-face-model",
    /--encoder\) writes its encoder alone/,
  ],
  [
    "layer scale",
    () => writeClassifier(fresh(), layerScale),
    "hugging-face-classifier",
    /got 4 that have none: blocks\.\{0-1\}\.gamma_1, blocks/,
  ],
  [
    "a mean of normalised tokens",
    () => writeClassifier(fresh(), { norm: "tokens" }),
    "official-classifier",
    /got pooling "mean" with norm "tokens"/,
  ],
  [
    "an unknown layout",
    () => writeClassifier(fresh(), {}),
    "huging-face-model" as LayoutName,
    /did you mean "hugging-face-model"/,
  ],
])("%s is refused, and nothing is left", async (_, write, to, message) => {
  const source = write();
  const out = fresh(to);
  const before = readdirSync(folder);
  await expect(convertWeights(source, out, { to })).rejects.toThrow(message);
  expect(readdirSync(folder)).toEqual(before);
});

test("a positional table that transformers does not make is refused", async () => {
  const source = writeClassifier(fresh(), {});
  await expect(convert(source, "hugging-face-classifier", { position: "interpolate" })).rejects.toThrow(
    /one made by position "interpolate"/,
  );
});

test("bad paths and options", async () => {
  const source = writeClassifier(fresh(), {});
  await expect(convertWeights(source, source, { to: "official-classifier" })).rejects.toThrow(/nothing at it/);
  const [taken, plain] = [fresh("hugging-face-model"), fresh("hugging-face-model")];
  mkdirSync(taken);
  const to = "hugging-face-classifier";
  await expect(convertWeights(source, taken, { to })).rejects.toThrow(/nothing at it/);
  await expect(convertWeights(source, plain, { to: "official-classifier" })).rejects.toThrow(/a \.safetensors file/);
  await expect(convertWeights(source, fresh(), { to })).rejects.toThrow(/a folder for hugging-face-classifier/);
  await expect(convertWeights(source, path.join(plain, "x"), { to })).rejects.toThrow(
    /a folder to write to must exist/,
  );
  await expect(convert(source, to, { labels: ["a"] })).rejects.toThrow(/expected 5 names.*got 1/);
  await expect(convert(source, to, { dtype: "f16" })).rejects.toThrow(/expected "f32" or "bf16"; got "f16"/);
  await expect(convert(source, to, { encoders: true })).rejects.toThrow(/did you mean "encoder"/);
});

test("a header that describes another model, or nothing, is refused", async () => {
  const source = writeClassifier(fresh(), {});
  const text = readFileSync(source);
  const damaged = (from: string, to: string) => {
    const out = fresh();
    writeFileSync(out, Buffer.from(text.toString("latin1").replace(from, to), "latin1"));
    return openClassifier(out);
  };
  await expect(damaged('\\"width\\":48', '\\"width\\":64')).rejects.toThrow(/width 64, as its description says/);
  await expect(damaged('{\\"model\\":', '{\\"medol\\":')).rejects.toThrow(
    /videomae\.model\.model: expected the description/,
  );
  await expect(damaged('{\\"model\\":', '[\\"model\\":')).rejects.toThrow(/expected the description of a model/);
});

test("the command", async () => {
  const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
  const out = fresh("hugging-face-pretrain");
  const args = ["convert", writePretrain(fresh()), out, "--to", "hugging-face-pretrain"];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...args]);
  expect(stdout).toMatch(/: hugging-face-pretrain, 70 tensors, .* kB\n$/);
  expect(stderr).toMatch(/WARNING: .*before the decoder's head with epsilon/);
});

const script = `
import sys, json, torch
import transformers
from safetensors.torch import load_file, save_file
kind, folder, source, out = sys.argv[1:]
model, info = getattr(transformers, kind).from_pretrained(folder, output_loading_info=True)
assert not any(info.values()), info
processor = transformers.VideoMAEImageProcessor.from_pretrained(folder)
assert processor.size["shortest_edge"] == 32, processor.size
inputs = load_file(source)
video = inputs["video"].transpose(1, 2)
with torch.no_grad():
    y = model.eval()(video)
save_file({"y": (y.logits if hasattr(y, "logits") else y.last_hidden_state).contiguous()}, out)
`;

test.skipIf(!havePython("torch", "safetensors", "transformers")).each<[LayoutName, Partial<ClassifierConfig>]>([
  ["hugging-face-classifier", {}],
  ["hugging-face-classifier", { pooling: "first-token", norm: "tokens" }],
  ["hugging-face-model", { classes: 0, norm: "tokens" }],
])("transformers opens %s %j with our outputs", async (to, config) => {
  const hub = await convert(writeClassifier(fresh(), config), to);
  const { model } = await openClassifier(hub);
  using _model = model;
  const random = new RandomStream(5, "test.convert");
  const shape = [2, 3, small.frames, small.image, small.image];
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal());
  const [source, out] = [fresh(), fresh()];
  writeSafetensors(source, [{ name: "video", dtype: "F32", shape, data }]);
  python(script, layouts[to].architecture!, hub, source, out);
  using theirs = openSafetensors(out);
  await scope(async () => {
    const video = Tensor.fromArray(data, shape);
    const ours = noGrad(() => (to === "hugging-face-model" ? model.tokens(video) : model.forward(video))).readSync();
    const want = theirs.read("y") as Float32Array;
    const largest = Math.max(...want.map(Math.abs));
    expect(Math.max(...want.map((value, i) => Math.abs(value - Number(ours[i]))))).toBeLessThanOrEqual(1e-5 * largest);
  });
});

test.skipIf(!havePython("transformers"))("transformers opens a pre-training model whole", async () => {
  const hub = await convert(writePretrain(fresh()), "hugging-face-pretrain");
  const { model } = await openPretrain(hub);
  model.dispose();
  const code = `
import sys, transformers
model, info = transformers.VideoMAEForPreTraining.from_pretrained(sys.argv[1], output_loading_info=True)
assert not any(info.values()), info
`;
  python(code, hub);
});
