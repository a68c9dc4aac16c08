// Loading weights in the official layouts: what is taken, what is refused, and what the report says.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { noGrad } from "#lib/autograd/grad-mode.js";
import { VideomaeError } from "#lib/errors.js";
import { type StoredTensor, writeSafetensors } from "#lib/io/safetensors.js";
import { classifierModel } from "#lib/models/classifier.js";
import { pretrainModel } from "#lib/models/pretrain.js";
import type { Module } from "#lib/nn/module.js";
import { sinusoid } from "#lib/nn/position-table.js";
import { RandomStream } from "#lib/random.js";
import { memory } from "#lib/tensor/memory.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { readHubConfig, readHubPreprocessing } from "#lib/weights/hub-config.js";
import { describeReport } from "#lib/weights/load-report.js";
import { loadWeightsFrom, openClassifier, openPretrain } from "#lib/weights/open-model.js";
import { relativeError } from "../compare.js";
import { haveShared, loadFixture, sharedFolder } from "../fixtures.js";
import { fixtureClassifier } from "../models/fixture-classifier.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
let files = 0;

const size = { image: 32, patch: 8, frames: 8, width: 48, depth: 2, heads: 3 } as const;
const input = { image: 32, frames: 8 };

/** A model's parameters as f32 tensors, biases not zero. */
function tensorsOf(model: Module): StoredTensor[] {
  return model.namedParameters().map(([name, { shape, value }]) => {
    const data = value.readSync() as Float32Array;
    return { name, dtype: "F32", shape, data: name.endsWith("bias") ? data.map((_, i) => 0.01 * (i + 1)) : data };
  });
}

function write(tensors: readonly StoredTensor[]): string {
  const path = join(folder, `${files++}.safetensors`);
  writeSafetensors(path, tensors);
  return path;
}

const valuesOf = (model: Module) => model.namedParameters().map(([name, { value }]) => [name, value.readSync()]);
const asLoaded = (tensors: readonly StoredTensor[]) => tensors.map(({ name, data }) => [name, data]);

function classifierTensors(): StoredTensor[] {
  using model = classifierModel({ ...size, classes: 5 }, { seed: 1 });
  return tensorsOf(model);
}

function pretrainTensors(): StoredTensor[] {
  using model = pretrainModel("vit-tiny", { seed: 2 });
  return tensorsOf(model);
}

describe("whole files", () => {
  it.each(["", "module.", "model.", "backbone.", "_orig_mod."])('classifier, every name after "%s"', async (prefix) => {
    const tensors = classifierTensors();
    const path = write(tensors.map((tensor) => ({ ...tensor, name: prefix + tensor.name })));
    const { model, report } = await openClassifier(path, { config: input });
    using _model = model;
    expect(model.config).toMatchObject({ ...size, classes: 5, pooling: "mean", norm: "pooled", mlpRatio: 4 });
    expect(valuesOf(model)).toEqual(asLoaded(tensors));
    expect(report.loaded).toHaveLength(tensors.length);
    expect(report.warnings).toEqual([]);
    expect(model.training).toBe(false);
  });

  it("pre-training model", async () => {
    const tensors = pretrainTensors();
    const { model, report } = await openPretrain(write(tensors), { config: input });
    using _model = model;
    expect(valuesOf(model)).toEqual(asLoaded(tensors));
    expect(report.layout).toBe("official-pretrain");
  });

  it("first token, layer scale, cosine attention, no q and v biases", async () => {
    const fields = { ...size, classes: 3, pooling: "first-token", norm: "tokens" } as const;
    using made = classifierModel({ ...fields, layerScale: 0.1, cosineAttention: true, qkvBias: false });
    const tensors = tensorsOf(made);
    const { model } = await openClassifier(write(tensors), { config: input });
    using _model = model;
    expect(model.config).toMatchObject({ ...fields, cosineAttention: true, qkvBias: false });
    expect(valuesOf(model)).toEqual(asLoaded(tensors));
  });

  it("half-precision and f64 files", async () => {
    const tensors = classifierTensors();
    const rounded = (bits: number) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0];
    const bits = (data: Float32Array) =>
      Uint16Array.from(new Uint32Array(Float32Array.from(data).buffer), (b) => b >>> 16);
    const path = write(
      tensors.map(({ name, shape, data }) => ({
        ...{ name, shape, dtype: name.includes("blocks.0") ? "F64" : "BF16" },
        data: name.includes("blocks.0") ? Float64Array.from(data as Float32Array) : bits(data as Float32Array),
      })),
    );
    const { model } = await openClassifier(path, { config: input });
    using _model = model;
    const want = tensors.map(({ name, data }) => [
      name,
      name.includes("blocks.0") ? data : Float32Array.from(bits(data as Float32Array), rounded),
    ]);
    expect(valuesOf(model)).toEqual(want);
  });

  it("every f16 value", async () => {
    const tensors = classifierTensors().filter(({ name }) => name !== "head.weight" && name !== "head.bias");
    const classes = 2048;
    const weight = Uint16Array.from({ length: classes * 48 }, (_, i) => i % 65536);
    const head: StoredTensor[] = [
      { name: "head.weight", dtype: "F16", shape: [classes, 48], data: weight },
      { name: "head.bias", dtype: "F32", shape: [classes], data: new Float32Array(classes) },
    ];
    const { model } = await openClassifier(write([...tensors, ...head]), { config: input });
    using _model = model;
    const got = model.head!.weight.value.readSync() as Float32Array;
    // By hand: zero, one, -2, the largest, the smallest subnormal, the smallest normal, infinities.
    const known = {
      0: 0,
      15360: 1,
      49152: -2,
      31743: 65504,
      1: 2 ** -24,
      1024: 2 ** -14,
      31744: Infinity,
      64512: -Infinity,
    };
    for (const [code, value] of Object.entries(known)) expect(got[Number(code)]).toBe(value);
    expect(Object.is(got[32768], -0)).toBe(true);
    expect(got[31745]).toBeNaN();
    expect(got.subarray(1, 31744).every((value, i) => value > got[i])).toBe(true);
  });
});

describe("parts", () => {
  it("a pre-training checkpoint is a feature extractor with the encoder's own norm", async () => {
    const tensors = pretrainTensors();
    const { model, report } = await openClassifier(write(tensors), { config: input });
    using _model = model;
    expect(model.config).toMatchObject({ classes: 0, pooling: "mean", norm: "tokens" });
    expect(report.missing).toEqual([]);
    expect(report.unused).toEqual(tensors.map(({ name }) => name).filter((name) => !name.startsWith("encoder.")));
    const encoder = tensors.filter(({ name }) => name.startsWith("encoder."));
    expect(valuesOf(model)).toEqual(asLoaded(encoder).map(([name, data]) => [(name as string).slice(8), data]));
  });

  it("an encoder goes into a classifier when asked to; its norm is left out, fc_norm and head stay fresh", async () => {
    const path = write(pretrainTensors());
    using model = classifierModel({ ...size, classes: 5 }, { seed: 3 });
    const before = new Map(valuesOf(model) as [string, unknown][]);
    await expect(loadWeightsFrom(path, model)).rejects.toThrow(
      /missing 4: fc_norm\.weight, fc_norm\.bias, head\.weight, head\.bias.*partial: true/s,
    );
    expect(new Map(valuesOf(model) as [string, unknown][])).toEqual(before);
    const report = await loadWeightsFrom(path, model, { partial: true });
    expect(report.missing).toEqual(["fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"]);
    expect(report.unused).toContain("encoder.norm.weight");
    const after = new Map(valuesOf(model) as [string, unknown][]);
    for (const name of report.missing) expect(after.get(name)).toEqual(before.get(name));
    for (const name of report.loaded) if (name.includes("weight")) expect(after.get(name)).not.toBe(before.get(name));
  });

  it("a head of other classes stays out, and is shown", async () => {
    const path = write(classifierTensors());
    using model = classifierModel({ ...size, classes: 7 });
    await expect(loadWeightsFrom(path, model)).rejects.toThrow(
      /mismatched 2: head\.weight \[5,48\] where the model has \[7,48\]/,
    );
    const report = await loadWeightsFrom(path, model, { partial: true });
    expect(report.mismatched).toEqual([
      { name: "head.weight", model: [7, 48], stored: [5, 48] },
      { name: "head.bias", model: [7], stored: [5] },
    ]);
  });

  it("tensors that are nothing we know are refused", async () => {
    const extra: StoredTensor = { name: "blocks.0.adapter.weight", dtype: "F32", shape: [1], data: Float32Array.of(1) };
    const path = write([...classifierTensors(), extra]);
    await expect(openClassifier(path, { config: input })).rejects.toThrow(/unknown 1: blocks\.0\.adapter\.weight/);
    const { model, report } = await openClassifier(path, { config: input, partial: true });
    using _model = model;
    expect(report.unknown).toEqual(["blocks.0.adapter.weight"]);
  });

  it("a file of another size is refused even in part, and leaks nothing", async () => {
    const path = write(classifierTensors());
    using model = classifierModel({ ...size, width: 96, heads: 3 });
    await expect(loadWeightsFrom(path, model, { partial: true })).rejects.toThrow(
      /expected a file that holds some of the model/,
    );
    const before = memory().tensors;
    await expect(openClassifier(path, { config: { ...input, depth: 3 } })).rejects.toThrow(/missing 13: blocks\.2\./);
    expect(memory().tensors).toBe(before);
  });
});

describe("what a user must know", () => {
  it("q and v biases that are all zero", async () => {
    const lost = classifierTensors().map((tensor) =>
      /\.[qv]_bias$/.test(tensor.name) ? { ...tensor, data: new Float32Array(48) } : tensor,
    );
    const { model, report } = await openClassifier(write(lost), { config: input });
    using _model = model;
    expect(report.warnings).toHaveLength(1);
    expect(describeReport(report)).toMatch(/WARNING: all 4 q and v biases are zero/);
  });

  it("a stored positional table: the sinusoid is left out, another one is refused", async () => {
    const table = Float32Array.from(sinusoid(64, 48));
    const tensor: StoredTensor = { name: "pos_embed", dtype: "F32", shape: [1, 64, 48], data: table };
    const { model, report } = await openClassifier(write([...classifierTensors(), tensor]), { config: input });
    using _model = model;
    expect([...report.inert.keys()]).toEqual(["pos_embed"]);
    const learnt = { ...tensor, data: table.map((value) => value + 0.01) };
    await expect(openClassifier(write([...classifierTensors(), learnt]), { config: input })).rejects.toThrow(
      /unknown 1: pos_embed.*"pos_embed" is not the sinusoid/s,
    );
  });

  it("what the shapes do not tell", async () => {
    using made = classifierModel({ ...size, width: 40, heads: 5, classes: 3 });
    const path = write(tensorsOf(made));
    await expect(openClassifier(path, { config: input })).rejects.toThrow(
      /got width 40.*give heads in the configuration/,
    );
    const { model } = await openClassifier(path, { config: { ...input, heads: 5 } });
    model.dispose();
    await expect(openPretrain(path, { config: { ...input, heads: 5 } })).rejects.toThrow(
      /with a decoder; got a classifier/,
    );
    await expect(openClassifier(join(folder, "nowhere"))).rejects.toThrow(/no such file/);
    await expect(openClassifier(folder)).rejects.toThrow(/Hint: name one of them/);
  });
});

describe("a folder of the V2 hub", () => {
  const config = {
    model_type: "VideoMAEv2_Base",
    model_config: {
      ...{ img_size: 32, patch_size: 16, in_chans: 3, num_classes: 10, embed_dim: 48, depth: 2, num_heads: 3 },
      ...{ mlp_ratio: 4, qkv_bias: true, qk_scale: null, layer_norm_eps: 1e-6, init_values: 0, tubelet_size: 2 },
      ...{ use_learnable_pos_emb: false, use_mean_pooling: true, num_frames: 4, cos_attn: false, norm_layer: "x" },
    },
  };

  it.skipIf(!haveShared)("gives the reference's features and class scores", async () => {
    const { json, tensors } = loadFixture("finetune_p16");
    using made = fixtureClassifier(json.config);
    const hub = join(folder, `hub-${files++}`);
    mkdirSync(hub);
    const stored = made.namedParameters().map(
      ([name, { shape, value }]): StoredTensor => ({
        ...{ name: `model.${name}`, dtype: "F32", shape },
        data: value.readSync() as Float32Array,
      }),
    );
    writeSafetensors(join(hub, "model.safetensors"), stored);
    writeFileSync(join(hub, "config.json"), JSON.stringify(config));
    const { model, report } = await openClassifier(hub);
    using _model = model;
    expect(report.wrappers).toEqual(["model."]);
    const { shape, data } = tensors.get("input.video")!;
    using video = Tensor.fromArray(data as Float32Array, shape);
    using features = noGrad(() => model.features(video));
    using logits = noGrad(() => model.forward(video));
    expect(relativeError(features.readSync(), tensors.get("features")!.data as Float32Array)).toBeLessThanOrEqual(1e-5);
    expect(relativeError(logits.readSync(), tensors.get("logits")!.data as Float32Array)).toBeLessThanOrEqual(1e-5);
  });

  it.each([
    [{ model_config: { ...config.model_config, embed_dim: "wide" } }, /model_config\.embed_dim/],
    [{ model_config: { ...config.model_config, use_learnable_pos_emb: true } }, /use_learnable_pos_emb/],
    [{ model_type: "videomae", hidden_act: "gelu_new" }, /hidden_act.*exact/],
    [{ model_type: "videomae", image_size: [224, 112] }, /image_size/],
    [{ model_type: "videomae", id2label: { 0: "a", 2: "b" } }, /names of the classes 0 to 1/],
    [{ model_type: "vit" }, /model_type/],
  ])("a config.json that does not fit is refused: %j", (fields, message) => {
    const hub = join(folder, `hub-${files++}`);
    mkdirSync(hub);
    writeFileSync(join(hub, "config.json"), JSON.stringify({ ...config, ...fields }));
    expect(() => readHubConfig(hub)).toThrow(message);
  });

  it("a Hugging Face pre-training model without the encoder's last norm is refused, its encoder is not", () => {
    const hub = join(folder, `hub-${files++}`);
    mkdirSync(hub);
    writeFileSync(join(hub, "config.json"), JSON.stringify({ model_type: "videomae", use_mean_pooling: true }));
    const read = readHubConfig(hub)!;
    expect(read.classifier).toMatchObject({ width: 768, normEps: 1e-12 });
    expect(() => read.pretrain()).toThrow(/use_mean_pooling true, which takes it away/);
  });

  it("a config.json that is no JSON is refused, one that is not there is nothing", async () => {
    const hub = join(folder, `hub-${files++}`);
    mkdirSync(hub);
    expect(readHubConfig(hub)).toBeUndefined();
    expect(readHubPreprocessing(hub)).toBeUndefined();
    writeFileSync(join(hub, "config.json"), "[1");
    expect(() => readHubConfig(hub)).toThrow(/config\.json: expected JSON/);
    const processor = { image_mean: [0.5, 0.4, 0.3], image_std: [1, 1, 2], size: { shortest_edge: 256 }, other: 1 };
    writeFileSync(join(hub, "preprocessor_config.json"), JSON.stringify(processor));
    expect(readHubPreprocessing(hub)).toEqual({ mean: [0.5, 0.4, 0.3], std: [1, 1, 2], shortSide: 256 });
  });
});

describe("wild numbers and names", () => {
  const refused = async (tensors: readonly StoredTensor[], config: object = input) => {
    const path = write(tensors);
    const before = memory().live;
    await expect(openClassifier(path, { config })).rejects.toThrow(VideomaeError);
    await expect(openPretrain(path, { config: { ...config, decoderHeads: 3 } })).rejects.toThrow(VideomaeError);
    expect(memory().live).toBe(before);
  };
  const empty = (name: string, shape: number[]): StoredTensor => ({
    ...{ name, shape, dtype: "F32" },
    data: new Float32Array(0),
  });
  const without = (tensors: readonly StoredTensor[], name: string) => tensors.filter((tensor) => tensor.name !== name);

  it("in a file fill no memory", async () => {
    const tensors = classifierTensors();
    const far: StoredTensor = {
      ...tensors.find(({ name }) => name === "blocks.1.norm1.weight")!,
      name: "blocks.4000000000.norm1.weight",
    };
    await refused([...tensors, far]);
    await refused([...without(tensors, "head.weight"), empty("head.weight", [1e12, 0])]);
    await refused([
      ...without(tensors, "patch_embed.proj.weight"),
      empty("patch_embed.proj.weight", [1e9, 0, 2, 8, 8]),
    ]);
    await refused([...without(tensors, "blocks.0.mlp.fc1.weight"), empty("blocks.0.mlp.fc1.weight", [1e12, 0])]);
    await refused([...tensors, empty("blocks.0.attn.scale", [1e9, 0, 1])]);
    await refused(tensors, { frames: 2 ** 40 });
    await refused(tensors, { image: 8 * 2 ** 20 });
    await refused(tensors, { mlpRatio: 1e12 });
  });

  it.each([
    { num_hidden_layers: 1e9 },
    { hidden_size: 2 ** 40 },
    { intermediate_size: 2 ** 50 },
    { num_attention_heads: 2 ** 40 },
    { num_frames: 2 ** 40 },
    { patch_size: 1 },
  ])("in config.json fill no memory: %j", async (fields) => {
    const hub = join(folder, `hub-${files++}`);
    mkdirSync(hub);
    const sizes = { image_size: 32, patch_size: 8, num_frames: 8, hidden_size: 48, num_hidden_layers: 2 };
    const config = { model_type: "videomae", ...sizes, num_attention_heads: 3, intermediate_size: 192, ...fields };
    writeSafetensors(join(hub, "model.safetensors"), classifierTensors());
    writeFileSync(join(hub, "config.json"), JSON.stringify(config));
    await expect(openClassifier(hub)).rejects.toThrow(VideomaeError);
  });

  const rounds = Number(process.env.VIDEOMAE_MUTATIONS ?? 200);
  it(
    `in ${rounds} files with one tensor renamed, dropped or of another shape are errors, and leak nothing`,
    async () => {
      const random = new RandomStream(11, "test.mutated-weights", [0]);
      const originals = [classifierTensors(), pretrainTensors()];
      const before = memory().live;
      for (let i = 0; i < rounds; i++) {
        const tensors = [...originals[random.integer(2)]];
        const at = random.integer(tensors.length);
        const { name, shape, data } = tensors[at];
        const kind = random.integer(4);
        const parts = name.split(".");
        parts[random.integer(parts.length)] += "x";
        if (kind === 0) tensors.splice(at, 1);
        else if (kind === 1) tensors[at] = { ...tensors[at], name: parts.join(".") };
        else if (kind === 2) tensors[at] = { ...tensors[at], shape: [...shape, 1] };
        else
          tensors[at] = {
            ...tensors[at],
            shape: [2, ...shape],
            data: Float32Array.from([...data, ...data] as number[]),
          };
        const path = write(tensors);
        for (const open of [openClassifier, openPretrain]) {
          try {
            (await open(path, { config: input })).model.dispose();
          } catch (error) {
            expect(error).toBeInstanceOf(VideomaeError);
          }
        }
        rmSync(path);
      }
      expect(memory().live).toBe(before);
    },
    60_000 + 100 * rounds,
  );
});

describe.skipIf(!haveShared)("a checkpoint written by the official code", () => {
  const path = join(sharedFolder, "fixtures/checkpoint_official.pth");
  const { json } = haveShared ? loadFixture("checkpoint_official") : { json: {} };
  const { image, frames, heads } = { image: json.config?.img, frames: json.config?.frames, heads: json.config?.heads };

  it("loads with the reference's values", async () => {
    const config = { image, frames, heads, decoderHeads: json.config.dec_heads };
    const { model, report } = await openPretrain(path, { config });
    using _model = model;
    expect(report).toMatchObject({ layout: "official-pretrain", missing: [], unused: [], unknown: [], warnings: [] });
    const parameters = model.namedParameters();
    expect(parameters.map(([name]) => name)).toEqual(Object.keys(json.model));
    for (const [name, { shape, value }] of parameters) {
      const values = value.readSync() as Float32Array;
      expect(shape).toEqual(json.model[name].shape);
      expect([...values.slice(0, 3)], name).toEqual(json.model[name].first_3.slice(0, values.length));
      expect(values.reduce((sum, x) => sum + x, 0)).toBeCloseTo(json.model[name].sum, 5);
    }
  });

  it("gives its encoder as a feature extractor", async () => {
    const { model, report } = await openClassifier(path, { config: { image, frames, heads } });
    using _model = model;
    expect(report.loaded).toHaveLength(Object.keys(json.model).filter((name) => name.startsWith("encoder.")).length);
    expect(model.config).toMatchObject({ width: 16, depth: 1, classes: 0, norm: "tokens", pooling: "mean" });
  });
});
