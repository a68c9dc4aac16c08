import { describe, expect, test } from "vitest";
import { multiplyAdds, trainingFlops } from "#lib/models/multiply-adds.js";
import {
  decoderMlpHidden,
  mlpHidden,
  modelName,
  modelSize,
  parameterCount,
  parameterShapes,
  resolvePretrainConfig,
  tokenGrid,
} from "#lib/models/sizes.js";
import { haveShared, loadFixture } from "../fixtures.js";

test.each([
  ["vit-small", 24_029_376, 25_808_064],
  ["vit-base", 94_210_944, 101_307_264],
  ["vit-large", 317_782_016, 330_389_504],
  ["vit-huge", 645_659_392, 658_266_880],
  ["vit-giant", 1_026_306_560, 1_039_676_648],
])("parameters of %s with 4 and 8 decoder blocks", (name, four, eight) => {
  expect(parameterCount(modelSize(name))).toBe(four);
  expect(parameterCount(resolvePretrainConfig(name, { decoderDepth: 8 }))).toBe(eight);
});

test("the tiny model", () => {
  const config = modelSize("vit-tiny");
  expect(parameterCount(config)).toBe(100_248);
  expect(tokenGrid(config)).toEqual({ t: 4, h: 4, w: 4 });
});

test("hidden widths truncate, also in the giant's decoder", () => {
  expect(mlpHidden(modelSize("g"))).toBe(6144);
  expect(decoderMlpHidden(modelSize("g"))).toBe(2234);
});

describe.skipIf(!haveShared)("against the reference", () => {
  test.each(["small", "base", "large", "huge", "giant"])("names, shapes and order of %s", (size) => {
    const expected = Object.entries(loadFixture("parameter_groups").json.shapes[`pretrain_${size}`]);
    expect(parameterShapes(modelSize(size))).toEqual(expected);
  });

  test.each(["pretrain_layer_scale", "pretrain_cos_attn", "pretrain_p14_dual75", "pretrain_raw_target_no_qkv_bias"])(
    "parameters of %s",
    (name) => {
      const { json } = loadFixture(name);
      const c = json.config;
      const config = resolvePretrainConfig({
        image: c.img,
        patch: c.patch,
        frames: c.frames,
        width: c.dim,
        depth: c.depth,
        heads: c.heads,
        decoderWidth: c.dec_dim,
        decoderDepth: c.dec_depth,
        decoderHeads: c.dec_heads,
        mlpRatio: c.mlp_ratio ?? 4,
        layerScale: c.init_values ?? 0,
        cosineAttention: c.cos_attn ?? false,
        qkvBias: c.qkv_bias ?? true,
      });
      const stored = Object.entries<{ shape: number[] }>(json.tensors)
        .filter(([key]) => key.startsWith("param."))
        .map(([key, { shape }]) => [key.slice("param.".length), shape]);
      expect(parameterShapes(config)).toEqual(stored);
    },
  );
});

// G multiply-adds: patch embedding, encoder, bridge, decoder, head, total with dual masking, total with encoder masking only.
test.each([
  ["S", 0.92, 3.63, 0.01, 3.04, 0.23, 7.84, 11.54],
  ["B", 1.85, 14.06, 0.05, 9.42, 0.46, 25.84, 35.44],
  ["L", 2.47, 49.58, 0.08, 15.53, 0.62, 68.27, 83.03],
  ["H", 3.08, 102.76, 0.1, 15.53, 0.62, 122.09, 136.86],
  ["g", 3.39, 214.8, 0.15, 22.66, 0.62, 241.61, 263.96],
])("multiply-adds of %s", (name, patchEmbed, encoder, bridge, decoder, head, total, encoderOnly) => {
  const config = modelSize(name);
  const [visible, tokens] = name === "g" ? [208, 2048] : [160, 1568];
  const dual = multiplyAdds(config, { visible, decoded: tokens / 2 });
  for (const [part, expected] of Object.entries({ patchEmbed, encoder, bridge, decoder, head, total })) {
    const value = dual[part as keyof typeof dual] / 1e9;
    expect(Math.abs(value - expected), `${part}: ${value}`).toBeLessThanOrEqual(0.0051);
  }
  const plain = multiplyAdds(config, { visible, decoded: tokens - visible }).total / 1e9;
  expect(Math.abs(plain - encoderOnly)).toBeLessThanOrEqual(0.0051);
  const lean = multiplyAdds(config, { visible, decoded: tokens / 2 }, visible);
  expect(lean.patchEmbed / dual.patchEmbed).toBeCloseTo(visible / tokens, 12);
});

test("work of a model small enough to count by hand", () => {
  // 2 x 2 tokens of 3 * 2 * 4 * 4 = 96 values; hidden widths 8 and 4.
  const sides = { image: 8, frames: 2, tubelet: 2, patch: 4, mlpRatio: 2 };
  const encoder = { width: 4, depth: 1, heads: 1 };
  const decoder = { decoderWidth: 2, decoderDepth: 1, decoderHeads: 1 };
  const config = resolvePretrainConfig({ ...sides, ...encoder, ...decoder });
  const counts = { visible: 1, decoded: 2 };
  const parts = {
    patchEmbed: 96 * 4,
    // Packed q, k, v and the projection; both layers of the MLP; scores and their product with v.
    encoder: 4 * (3 * 4 + 4) + 2 * (4 * 8) + 2 * (1 * 1 * 4),
    bridge: 4 * 2,
    decoder: 3 * (2 * (3 * 2 + 2) + 2 * (2 * 4)) + 2 * (3 * 3 * 2),
    head: 2 * 2 * 96,
  };
  const total = 384 + 136 + 8 + 132 + 384;
  expect(multiplyAdds(config, counts, 1)).toEqual({ ...parts, total });
  expect(multiplyAdds(config, counts).total).toBe(total + 3 * 96 * 4);
  expect(trainingFlops(config, counts)).toBe(6 * total);
});

test("names and their short forms", () => {
  expect(["vit-base", "base", "B"].map(modelName)).toEqual(["vit-base", "vit-base", "vit-base"]);
  expect(modelName("g")).toBe("vit-giant");
  expect(() => modelName("vit-bsae")).toThrow(/did you mean "vit-base"/);
  expect(() => modelName("toString")).toThrow(/one of vit-tiny/);
});

test.each([
  [{ image: 225 }, /image.*multiple of patch \(16\)/],
  [{ frames: 15 }, /frames.*multiple of tubelet/],
  [{ width: 770 }, /width.*multiple of heads \(12\)/],
  [{ decoderHeads: 5 }, /decoderWidth.*multiple of decoderHeads \(5\)/],
  [{ depth: 0 }, /depth.*positive integer/],
  [{ dropPath: 1 }, /dropPath/],
  [{ mlpRatio: 0.001 }, /mlpRatio/],
  [{ layerScale: -1 }, /layerScale/],
  [{ qkvBias: 1 as unknown as boolean }, /qkvBias.*true or false/],
  [{ channels: 1 as 3 }, /channels/],
  [{ decoderWith: 3 } as object, /did you mean "decoderWidth"/],
])("%o is refused", (overrides, message) => {
  expect(() => resolvePretrainConfig("vit-base", overrides)).toThrow(message);
});

test("undefined overrides leave the model's own value", () => {
  expect(resolvePretrainConfig("vit-giant", { patch: undefined }).patch).toBe(14);
});
