import { describe, expect, test } from "vitest";
import { classifierShapes, resolveClassifierConfig } from "#lib/models/classifier-config.js";
import { parameterShapes, resolvePretrainConfig } from "#lib/models/sizes.js";
import { detectLayout } from "#lib/weights/detect-layout.js";
import { type LayoutName, layouts, ourName, storedNames } from "#lib/weights/layouts.js";
import { foldNames } from "#lib/weights/load-report.js";

const plain = { width: 48, heads: 3, depth: 13 } as const;
const everything = { ...plain, layerScale: 0.1, cosineAttention: true } as const;
const ours = (name: string) => name.replace(/^encoder\./, "");
const pretrain = (config: object) => parameterShapes(resolvePretrainConfig(config)).map(([name]) => ours(name));
const classifier = (config: object) => classifierShapes(resolveClassifierConfig(config)).map(([name]) => name);

/** A file of these names; only the patch embedding has its own shape. */
const fileOf = (path: string, names: readonly string[]) => ({
  ...{ path, names },
  entry: (name: string) => ({
    ...{ dtype: "F32", byteLength: 0 },
    shape: /proj(ection)?\.weight$/.test(name) ? [48, 3, 2, 8, 8] : [48],
  }),
});

/** The parameters that each layout must have a place for. */
const parameters: Record<LayoutName, string[]> = {
  "official-pretrain": pretrain(everything),
  "official-classifier": [...classifier(everything), ...classifier({ ...plain, norm: "tokens" })],
  "hugging-face-model": classifier({ ...plain, norm: "tokens", classes: 0 }),
  "hugging-face-pretrain": pretrain(plain),
  "hugging-face-classifier": [...classifier(plain), ...classifier({ ...plain, norm: "tokens" })],
};

describe.each(Object.values(layouts))("$title", (layout) => {
  test("every parameter has its tensors, and every tensor its parameter", () => {
    const owners = new Map<string, string>();
    for (const name of parameters[layout.name]) {
      const stored = storedNames(layout, name);
      expect(stored, name).toBeDefined();
      for (const part of stored!) {
        expect(ourName(layout, part), part).toBe(name);
        expect(owners.get(part) ?? name, part).toBe(name);
        owners.set(part, name);
      }
    }
  });

  test("is recognised by its names, also wrapped", () => {
    const names = [...new Set(parameters[layout.name].flatMap((name) => storedNames(layout, name)!))];
    for (const wrapper of ["", "module.", "_orig_mod.", "model.", "backbone.", "module._orig_mod."]) {
      const found = detectLayout(
        fileOf(
          "x",
          names.map((name) => wrapper + name),
        ),
      );
      expect(found.layout.name).toBe(layout.name);
      expect([...found.wrappers].sort().join("")).toBe(wrapper.match(/\w+\./g)?.sort().join("") ?? "");
    }
  });

  test("other names are no parameters", () => {
    for (const name of ["", "head", "blocks.0.attn.qkv.bias", "blocks.x.norm1.bias", "constructor", "a.0.b.1.c"]) {
      expect(storedNames(layout, name)).toBeUndefined();
      expect(ourName(layout, name)).toBeUndefined();
    }
  });
});

test("q, k and v are stored apart, in this order", () => {
  const layout = layouts["hugging-face-classifier"];
  const path = "videomae.encoder.layer.11.attention.attention";
  expect(storedNames(layout, "blocks.11.attn.qkv.weight")).toEqual(
    ["query", "key", "value"].map((part) => `${path}.${part}.weight`),
  );
  expect(storedNames(layout, "blocks.11.attn.q_bias")).toEqual([`${path}.q_bias`]);
  expect(storedNames(layout, "blocks.11.attn.q_bias", (name) => name.endsWith("query.bias"))).toEqual([
    `${path}.query.bias`,
  ]);
});

test("names that are those of no model, or of two, are refused", () => {
  expect(() => detectLayout(fileOf("a.pth", ["fc.weight", "fc.bias"]))).toThrow(
    /a\.pth: expected weights of a VideoMAE model.*2 tensors, the first named fc\.weight, fc\.bias/,
  );
  expect(() => detectLayout(fileOf("a.pth", []))).toThrow(/0 tensors/);
  expect(() => detectLayout(fileOf("a.pth", ["head.weight", "module.head.weight"]))).toThrow(/holds two models/);
});

test("names of blocks fold into ranges", () => {
  const names = [0, 1, 2, 5].map((i) => `blocks.${i}.norm1.bias`);
  expect(foldNames([...names, "blocks.7.norm2.bias", "head.bias"])).toEqual([
    "blocks.{0-2,5}.norm1.bias",
    "blocks.7.norm2.bias",
    "head.bias",
  ]);
});
