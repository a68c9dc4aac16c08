import { expect, test } from "vitest";
import { recognizeWeights } from "#lib/models/recognize-weights.js";
import { modelSizes, parameterShapes } from "#lib/models/sizes.js";

const pretrain = (size: keyof typeof modelSizes) => new Map(parameterShapes(modelSizes[size]));

test.each(Object.keys(modelSizes) as (keyof typeof modelSizes)[])("%s, to pre-train", (size) => {
  const { width, depth, patch, tubelet, decoderWidth, decoderDepth } = modelSizes[size];
  expect(recognizeWeights(pretrain(size))).toMatchObject({
    ...{ names: "official", kind: "pre-training model", size, width, depth, patch, tubelet },
    ...{ decoder: { width: decoderWidth, depth: decoderDepth }, classes: undefined, pooling: undefined },
  });
});

test("an encoder alone, a classifier of either pooling, and the names of its biases", () => {
  const encoder = new Map([...pretrain("vit-small")].filter(([name]) => name.startsWith("encoder.")));
  expect(recognizeWeights(encoder)).toMatchObject({ kind: "encoder", size: "vit-small", decoder: undefined });
  const bare = new Map([...encoder].map(([name, shape]) => [name.slice("encoder.".length), shape]));
  bare.set("head.weight", [400, 384]);
  expect(recognizeWeights(bare)).toMatchObject({ kind: "classifier", classes: 400, pooling: "first token" });
  bare.set("fc_norm.weight", [384]);
  const found = recognizeWeights(bare);
  expect(found).toMatchObject({ kind: "classifier", size: "vit-small", pooling: "mean" });
  expect(found?.queryValueBiases).toHaveLength(24);
  expect(found?.queryValueBiases[1]).toBe("blocks.0.attn.v_bias");
});

test("Hugging Face's names", () => {
  const shapes = new Map<string, number[]>([
    ["videomae.embeddings.patch_embeddings.projection.weight", [768, 3, 2, 16, 16]],
    ...Array.from(
      { length: 12 },
      (_, i) => [`videomae.encoder.layer.${i}.layernorm_before.weight`, [768]] as [string, number[]],
    ),
    ["videomae.encoder.layer.0.attention.attention.q_bias", [768]],
  ]);
  expect(recognizeWeights(shapes)).toMatchObject({
    ...{ names: "Hugging Face", kind: "encoder", size: "vit-base", depth: 12 },
    queryValueBiases: ["videomae.encoder.layer.0.attention.attention.q_bias"],
  });
  shapes.set("classifier.weight", [174, 768]);
  expect(recognizeWeights(shapes)).toMatchObject({ kind: "classifier", classes: 174 });
  shapes.set("decoder.decoder_layers.3.layernorm_before.weight", [384]);
  expect(recognizeWeights(shapes)).toMatchObject({ kind: "pre-training model", decoder: { width: 384, depth: 4 } });
});

test("other sizes have no name, other models are none", () => {
  const odd = pretrain("vit-small");
  odd.delete("encoder.blocks.11.norm1.weight");
  expect(recognizeWeights(odd)).toMatchObject({ size: undefined, depth: 11 });
  expect(recognizeWeights(new Map([["conv1.weight", [64, 3, 7, 7]]]))).toBeUndefined();
  expect(recognizeWeights(new Map([["patch_embed.proj.weight", [768, 3, 16, 16]]]))).toBeUndefined();
  expect(recognizeWeights(new Map())).toBeUndefined();
});
