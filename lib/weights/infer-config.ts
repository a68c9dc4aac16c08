// What model weights belong to, as far as names and shapes tell. They do not tell the number of heads, the side of the
// input or the frames of a clip: heads come from the registered sizes, the rest is 16 frames of 224 pixels unless said
// otherwise.

import { VideomaeError } from "../errors.js";
import type { TensorFile } from "../io/tensor-file.js";
import { type ClassifierConfig, resolveClassifierConfig } from "../models/classifier-config.js";
import { modelSizes, type PretrainConfig, resolvePretrainConfig } from "../models/sizes.js";
import type { DetectedLayout } from "./detect-layout.js";
import { storedNames } from "./layouts.js";

/** The classifier, or feature extractor without a head, that weights make. `given` wins over what the file says. */
export function inferClassifierConfig(
  file: TensorFile,
  detected: DetectedLayout,
  given: Partial<ClassifierConfig> = {},
): ClassifierConfig {
  const { recognized, layout } = detected;
  const shapeOf = shapes(file, detected);
  const head = recognized.kind === "classifier";
  if (head) shapeOf("head.weight", [undefined, recognized.width]);
  const pooled = shapeOf("fc_norm.weight") !== undefined;
  const tokens = shapeOf("norm.weight") !== undefined;
  const { normEps, pooledNormEps } = layout.norms;
  return resolveClassifierConfig({
    ...encoderOf(file, detected, given.heads),
    normEps,
    pooledNormEps,
    classes: head ? recognized.classes : 0,
    pooling: head && !pooled ? "first-token" : "mean",
    norm: pooled ? "pooled" : tokens ? "tokens" : "none",
    ...given,
  });
}

/** The pre-training model that weights make. `given` wins over what the file says. */
export function inferPretrainConfig(
  file: TensorFile,
  detected: DetectedLayout,
  given: Partial<PretrainConfig> = {},
): PretrainConfig {
  const { kind, decoder } = detected.recognized;
  if (decoder === undefined) {
    throw new VideomaeError({
      op: file.path,
      expected: "a pre-training model, with a decoder",
      got: kind === "encoder" ? "an encoder alone" : "a classifier",
      hint: "load it as a classifier or feature extractor",
    });
  }
  checkDepth(file, "decoder.blocks", decoder.depth);
  const { normEps, decoderNormEps } = detected.layout.norms;
  return resolvePretrainConfig({
    ...encoderOf(file, detected, given.heads),
    normEps,
    decoderNormEps,
    decoderWidth: decoder.width,
    decoderDepth: decoder.depth,
    decoderHeads: given.decoderHeads ?? headsOf(file, "decoderHeads", decoder.width),
    ...given,
  });
}

/** The MLP ratio whose product with the width, truncated, is the hidden width. */
export function mlpRatio(width: number, hidden: number): number {
  const registered = Object.values(modelSizes).find((size) => Math.trunc(width * size.mlpRatio) === hidden);
  if (registered !== undefined) return registered.mlpRatio;
  return Math.trunc(width * (hidden / width)) === hidden ? hidden / width : (hidden + 0.5) / width;
}

function encoderOf(file: TensorFile, detected: DetectedLayout, heads: number | undefined) {
  const { width, depth, patch, tubelet } = detected.recognized;
  const shapeOf = shapes(file, detected);
  shapeOf("patch_embed.proj.weight", [width, 3, tubelet, patch, patch]);
  checkDepth(file, "blocks", depth);
  const hidden = shapeOf("blocks.0.mlp.fc1.weight", [undefined, width])?.[0];
  if (hidden === undefined) throw damaged(file, "blocks, from number 0 on", "a file without them");
  const scale = shapeOf("blocks.0.attn.scale", [undefined, 1, 1]);
  return {
    ...{ width, depth, patch, tubelet },
    heads: heads ?? scale?.[0] ?? headsOf(file, "heads", width),
    mlpRatio: mlpRatio(width, hidden),
    qkvBias: shapeOf("blocks.0.attn.q_bias") !== undefined,
    // The value only says that there are layer scales; the file has theirs.
    layerScale: shapeOf("blocks.0.gamma_1") === undefined ? 0 : 1,
    cosineAttention: scale !== undefined,
  };
}

/**
 * The shape of the first tensor that holds a parameter of ours; undefined when the file has none. What a model is made
 * by must be so in the file: a wild number in it must not fill the memory.
 */
function shapes(file: TensorFile, { layout, stored }: DetectedLayout) {
  return (ours: string, expected?: readonly (number | undefined)[]): readonly number[] | undefined => {
    const [first] = storedNames(layout, ours, (name) => stored.has(name)) ?? [];
    const name = first === undefined ? undefined : stored.get(first);
    if (name === undefined) return undefined;
    const { shape } = file.entry(name);
    const fits =
      expected?.length === shape.length && expected.every((side, i) => side === undefined || side === shape[i]);
    if (expected === undefined || fits) return shape;
    throw damaged(
      file,
      `${name} of shape [${expected.map((side) => side ?? "any").join(", ")}]`,
      `[${shape.join(", ")}]`,
    );
  };
}

/** Every block has tensors of its own, so there are no more blocks than names. */
function checkDepth(file: TensorFile, blocks: string, depth: number): void {
  if (depth > file.names.length) throw damaged(file, `every one of ${depth} ${blocks}`, `${file.names.length} tensors`);
}

function damaged(file: TensorFile, expected: string, got: string): VideomaeError {
  const hint = "the file is damaged, or of another kind of model";
  return new VideomaeError({ op: file.path, expected, got, hint });
}

/** Heads by width, as in the registered sizes. */
function headsOf(file: TensorFile, field: "heads" | "decoderHeads", width: number): number {
  const widthField = field === "heads" ? "width" : "decoderWidth";
  const found = Object.values(modelSizes).find((size) => size[widthField] === width);
  if (found !== undefined) return found[field];
  throw new VideomaeError({
    op: file.path,
    expected: "a registered width, which tells the number of heads",
    got: `width ${width}`,
    hint: `the shapes do not tell it: give ${field} in the configuration${field === "heads" ? " (--heads)" : ""}`,
  });
}
