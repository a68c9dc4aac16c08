import { describe, expect, test } from "vitest";
import { groupParameters, isDecayed, layerOf, layerScales, undecayed } from "#lib/optim/parameter-groups.js";
import { haveShared, loadFixture } from "../fixtures.js";

type ReferenceGroups = Record<string, { weight_decay: number; params: string[]; lr_scale: number }>;

describe.skipIf(!haveShared)("against the reference", () => {
  const json = haveShared ? loadFixture("parameter_groups").json : {};

  function expectGroups(groups: ReturnType<typeof groupParameters>, expected: ReferenceGroups): void {
    expect(groups.map(({ key }) => key)).toEqual(Object.keys(expected));
    for (const { key, names, weightDecay, learningRateScale } of groups) {
      expect(names, key).toEqual(expected[key].params);
      expect(weightDecay, key).toBe(expected[key].weight_decay);
      expect(Math.abs(learningRateScale - expected[key].lr_scale)).toBeLessThanOrEqual(1e-15);
    }
  }

  test.each(["base", "giant"])("decay and no decay in pre-training, %s", (size) => {
    const shapes = Object.entries<number[]>(json.shapes[`pretrain_${size}`]);
    expectGroups(groupParameters(shapes, { weightDecay: 0.05 }), json.pretrain[size]);
  });

  test("layer-wise groups in fine-tuning", () => {
    const shapes = Object.entries<number[]>(json.shapes.finetune_base);
    const options = { weightDecay: 0.05, skip: undecayed.finetune, layers: { depth: 12, decay: 0.75 } };
    expectGroups(groupParameters(shapes, options), json.finetune["base/0.75"]);
  });

  test("layer numbers and scales", () => {
    for (const [key, { depth, scales, layer_of }] of Object.entries<{
      depth: number;
      scales: number[];
      layer_of: Record<string, number>;
    }>(json.layer_decay)) {
      const own = layerScales(depth, Number(key.split("/")[1]));
      expect(own).toHaveLength(scales.length);
      own.forEach((scale, i) => {
        expect(Math.abs(scale - scales[i])).toBeLessThanOrEqual(1e-15);
      });
      for (const [name, layer] of Object.entries(layer_of)) expect(layerOf(name, depth), name).toBe(layer);
    }
  });
});

test("what does not decay", () => {
  expect(isDecayed("encoder.blocks.0.attn.qkv.weight", [192, 64])).toBe(true);
  expect(isDecayed("encoder.blocks.0.attn.scale", [4, 1, 1])).toBe(false);
  expect(isDecayed("encoder.blocks.0.gamma_1", [64])).toBe(false);
  expect(isDecayed("mask_token", [1, 1, 64])).toBe(false);
  expect(isDecayed("mask_token", [1, 1, 64], undecayed.finetune)).toBe(true);
});

test("a block past the depth and a decay out of range are refused; the encoder prefix is not in the way", () => {
  expect(layerOf("encoder.blocks.3.norm1.weight", 4)).toBe(4);
  expect(() => layerOf("blocks.4.norm1.weight", 4)).toThrow(/below 4/);
  expect(() => layerScales(12, 0)).toThrow(/\(0, 1\]/);
});
