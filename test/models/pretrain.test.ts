// The pre-training model against the reference: outputs, targets, loss, and the gradient of every parameter.
import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { pretrainModel } from "#lib/models/pretrain.js";
import { modelSizes, parameterShapes } from "#lib/models/sizes.js";
import { pixelTargets } from "#lib/ops/masked-pixel-loss.js";
import { memory } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { largestDifference, norm, numbersOf, relativeError } from "../compare.js";
import { hasEmulator } from "../devices.js";
import { formulaVideo, formulaVideoBytes, haveShared, loadFixture } from "../fixtures.js";
import { cosineTolerances, tolerances } from "../tolerances.js";
import { fixtureModel, keptTokens } from "./fixture-model.js";

const cases = [
  "pretrain_p16_dual",
  "pretrain_p16_encoder_only",
  "pretrain_p14_dual75",
  "pretrain_layer_scale",
  "pretrain_cos_attn",
  "pretrain_raw_target_no_qkv_bias",
];

/** u8 channels-last (B, T, H, W, 3) of channels-first bytes (B, 3, T, H, W). */
function channelsLast(bytes: Uint8Array, [b, c, t, h, w]: readonly number[]): Tensor {
  const plane = t * h * w;
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < b; i++)
    for (let k = 0; k < c; k++)
      for (let p = 0; p < plane; p++) out[(i * plane + p) * 3 + k] = bytes[(i * c + k) * plane + p];
  return Tensor.fromArray(out, [b, t, h, w, 3]);
}

describe.skipIf(!haveShared).each(cases)("%s", (name) => {
  const { json, tensors } = loadFixture(name);
  const reference = (key: string) => tensors.get(key)!.data as Float32Array;
  const shape = tensors.get("input.video")!.shape;

  function run(video: () => Tensor, dtype: "f32" | "bf16" = "f32", device: "cpu" | "emu" = "cpu"): void {
    const allowed = (json.config.cos_attn === true ? cosineTolerances : tolerances)[dtype];
    scope(() => {
      using model = fixtureModel(json.config, dtype, { device });
      const visible = keptTokens(reference("input.encoder_mask"), shape[0]);
      const decoded = keptTokens(reference("input.decoder_mask"), shape[0]);
      const clip = video();
      const features = model.encode(clip, visible);
      expect(relativeError(numbersOf(features), reference("encoder_features"))).toBeLessThanOrEqual(allowed.outputs);
      const prediction = model.forward(clip, { visible, decoded });
      expect(prediction.shape).toEqual(tensors.get("output")!.shape);
      expect(relativeError(numbersOf(prediction), reference("output"))).toBeLessThanOrEqual(allowed.outputs);
      const { patch, tubelet, normalizeTarget: normalize } = model.config;
      const labels = pixelTargets(clip, decoded, { patch, tubelet, normalize });
      expect(largestDifference(labels.readSync(), reference("labels"))).toBeLessThanOrEqual(1e-5);

      const loss = model.loss(clip, { visible, decoded });
      expect(Math.abs(loss.readSync()[0] - reference("loss")[0])).toBeLessThanOrEqual(allowed.loss);
      backward(loss);
      const all: { name: string; got: ArrayLike<number>; want: Float32Array }[] = model
        .namedParameters()
        .map(([key, { value }]) => ({ name: key, got: value.grad!.readSync(), want: reference(`grad.${key}`) }));
      const flat = (side: "got" | "want") => all.flatMap((g) => Array.from(g[side]));
      expect(relativeError(flat("got"), flat("want"))).toBeLessThanOrEqual(allowed.gradients);
      const total = norm(flat("want"));
      for (const { name, got, want } of all) {
        if (norm(want) > 1e-6 * total) expect(relativeError(got, want), name).toBeLessThanOrEqual(allowed.gradient);
      }
    });
  }

  it("matches the reference on normalised f32 clips", () => {
    run(() => Tensor.fromArray(reference("input.video"), shape));
  });

  it("matches the reference on the u8 clips behind them", () => {
    run(() => channelsLast(formulaVideoBytes(json.config.seed, shape), shape));
  });

  it("matches the reference in bf16, as closely as bf16 can", () => {
    run(() => Tensor.fromArray(reference("input.video"), shape), "bf16");
    run(() => channelsLast(formulaVideoBytes(json.config.seed, shape), shape), "bf16");
  });

  it.skipIf(!hasEmulator).each(["f32", "bf16"] as const)(
    "matches the reference on the emulated GPU in %s",
    (dtype) => run(() => channelsLast(formulaVideoBytes(json.config.seed, shape), shape), dtype, "emu"),
    300_000,
  );

  it("frees everything", () => {
    const before = memory().tensors;
    run(() => Tensor.fromArray(reference("input.video"), shape));
    run(() => Tensor.fromArray(reference("input.video"), shape), "bf16");
    expect(memory().tensors).toBe(before);
  });
});

describe.skipIf(!haveShared)("ViT-S at 16 x 224 x 224", () => {
  it.each(["f32", "bf16"] as const)("matches the reference's summary in %s", (dtype) => {
    const allowed = tolerances[dtype];
    const { json, tensors } = loadFixture("pretrain_vits_summary");
    const reference = (key: string) => tensors.get(key)!.data as Float32Array;
    scope(() => {
      using model = fixtureModel(json.config, dtype);
      const batch = json.config.batch;
      const shape = [batch, 3, 16, 224, 224];
      const video = Tensor.fromArray(formulaVideo(json.config.seed, shape), shape);
      const visible = keptTokens(reference("input.encoder_mask"), batch);
      const decoded = keptTokens(reference("input.decoder_mask"), batch);
      const prediction = numbersOf(model.forward(video, { visible, decoded })) as Float32Array;
      expect(relativeError(prediction.subarray(0, 64), reference("output_head"))).toBeLessThanOrEqual(allowed.outputs);
      expect(relativeError(prediction.subarray(-64), reference("output_tail"))).toBeLessThanOrEqual(allowed.outputs);
      const width = prediction.length / (batch * 784);
      const lengths = Float64Array.from({ length: batch * 784 }, (_, r) =>
        norm(prediction.subarray(r * width, (r + 1) * width)),
      );
      expect(relativeError(lengths, reference("output_token_l2"))).toBeLessThanOrEqual(allowed.outputs);

      const loss = model.loss(video, { visible, decoded });
      expect(Math.abs(loss.readSync()[0] - json.loss)).toBeLessThanOrEqual(allowed.loss);
      backward(loss);
      for (const [name, { value }] of model.namedParameters()) {
        const want = json.parameters[name].grad_l2;
        expect(Math.abs(norm(value.grad!.readSync()) / want - 1), name).toBeLessThanOrEqual(allowed.gradient);
      }
    });
  });
});

describe("pretrainModel", () => {
  it.each(Object.keys(modelSizes).filter((n) => !/large|huge|giant/.test(n)))(
    "%s has the published names and shapes",
    (n) => {
      using model = pretrainModel(n);
      const names = model.namedParameters().map(([name, { shape }]) => [name, shape]);
      expect(names).toEqual(parameterShapes(model.config));
    },
  );

  it("draws the same weights from the same seed, and others from another", () => {
    using a = pretrainModel("vit-tiny", { seed: 1 });
    using b = pretrainModel("vit-tiny", { seed: 1 });
    using c = pretrainModel("vit-tiny", { seed: 2 });
    const weights = (m: typeof a) => m.encoder.blocks.items[0].mlp.fc1.weight.value.readSync();
    expect(weights(a)).toEqual(weights(b));
    expect(weights(a)).not.toEqual(weights(c));
  });

  it.each(["f32", "bf16"] as const)(
    "gives the same gradients when blocks are recomputed, bit for bit, in %s",
    (dtype) => {
      const gradientsOf = (recompute: boolean) =>
        scope(() => {
          using model = pretrainModel("vit-tiny", { seed: 3, recompute, dropPath: 0.3, layerScale: 0.1, dtype });
          const bytes = Uint8Array.from({ length: 2 * 8 * 32 * 32 * 3 }, (_, i) => (i * 2654435761) >>> 24);
          const video = Tensor.fromArray(bytes, [2, 8, 32, 32, 3]);
          const visible = Tensor.fromArray(Int32Array.from([0, 5, 9, 1, 7, 63]), [2, 3]);
          const decoded = Tensor.fromArray(Int32Array.from([2, 3, 20, 2, 3, 40]), [2, 3]);
          backward(model.loss(video, { visible, decoded }));
          return model.namedParameters().map(([name, { value }]) => [name, value.grad!.readSync()]);
        });
      expect(gradientsOf(true)).toEqual(gradientsOf(false));
    },
  );

  it("says what is wrong with a name, an option, a shape", () => {
    expect(() => pretrainModel("vit-bse")).toThrow(/did you mean "vit-base"/);
    expect(() => pretrainModel("vit-tiny", { widht: 3 } as object)).toThrow(/did you mean "width"/);
    expect(() => pretrainModel("vit-tiny", { image: 33 })).toThrow(/patch/);
    using model = pretrainModel("vit-tiny");
    const video = Tensor.fromArray(new Uint8Array(2 * 8 * 32 * 32 * 3), [2, 8, 32, 32, 3]);
    const visible = Tensor.fromArray(Int32Array.from([0, 64]), [2, 1]);
    expect(() => model.encode(video, visible)).toThrow(
      /embedVisible: expected visible with values from 0 to 63; got 64/,
    );
    for (const tensor of [video, visible]) tensor.dispose();
  });
});
