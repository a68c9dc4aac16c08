// The list of shapes against the models it is taken from.
import { describe, expect, it } from "vitest";
import { attentionShapes, layerProducts, layerShapes } from "#lib/bench/shapes.js";
import { dualMask } from "#lib/masking/dual-mask.js";
import { decoderMlpHidden, mlpHidden, modelSize, patchValues, tokenGrid } from "#lib/models/sizes.js";

const clips = 32;

describe.each(["B", "L", "H", "g"])("the layers of ViT-%s", (letter) => {
  const config = modelSize(letter);
  const grid = tokenGrid(config);
  const masks = dualMask({
    encoder: { kind: "tube", ratio: 0.9 },
    decoder: { kind: "running-cell", ratio: 0.5 },
    grid,
  });
  const { visible, decoded } = masks.counts;
  const { width, decoderWidth } = config;
  const [encoder, decoder] = [visible, visible + decoded].map((tokens) => clips * tokens);
  const expected: Record<string, [m: number, n: number, k: number]> = {
    "encoder qkv": [encoder, 3 * width, width],
    "encoder proj": [encoder, width, width],
    "encoder fc1": [encoder, mlpHidden(config), width],
    "encoder fc2": [encoder, width, mlpHidden(config)],
    "decoder qkv": [decoder, 3 * decoderWidth, decoderWidth],
    "decoder proj": [decoder, decoderWidth, decoderWidth],
    "decoder fc1": [decoder, decoderMlpHidden(config), decoderWidth],
    "decoder fc2": [decoder, decoderWidth, decoderMlpHidden(config)],
    head: [clips * decoded, patchValues(config), decoderWidth],
    bridge: [encoder, decoderWidth, width],
    "patch embedding": [encoder, width, patchValues(config)],
  };

  it.each(Object.entries(expected))("%s", (name, [m, n, k]) => {
    const own = (layer: { name: string }) =>
      layer.name.endsWith(` ${name}`) && layer.name.slice(0, -name.length).split(/\W+/).includes(letter);
    expect(layerShapes().filter(own)).toMatchObject([{ m, n, k }]);
  });

  it("attention has the tokens and head widths of encoder and decoder", () => {
    const shapes = attentionShapes(false, "cuda").map(({ name, ...shape }) => shape);
    expect(shapes).toContainEqual({ clips, heads: config.heads, tokens: visible, headWidth: width / config.heads });
    const headWidth = decoderWidth / config.decoderHeads;
    expect(shapes).toContainEqual({ clips, heads: config.decoderHeads, tokens: visible + decoded, headWidth });
  });
});

it("the three products of a layer do the same number of operations", () => {
  for (const layer of layerShapes()) {
    const products = layerProducts(layer);
    expect(products).toHaveLength(layer.name.endsWith("patch embedding") ? 2 : 3);
    for (const { m, n, k } of products) expect(m * n * k).toBe(layer.m * layer.n * layer.k);
  }
});
