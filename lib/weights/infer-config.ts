// What model weights belong to, as far as the shapes of its tensors tell. They do not tell the number of heads, the side
// of the input or the frames of a clip: heads come from the registered sizes, the rest is 16 frames of 224 pixels unless
// said otherwise.

import { VideomaeError } from "../errors.js";
import { type ClassifierConfig, resolveClassifierConfig } from "../models/classifier-config.js";
import { modelSizes, type PretrainConfig, resolvePretrainConfig } from "../models/sizes.js";
import type { UnwrappedNames } from "./detect-layout.js";
import { ourName, storedNames } from "./layouts.js";
import type { WeightSource } from "./weight-source.js";

/** What a file holds: a model to pre-train, one with a head, or an encoder alone. */
export type WeightsKind = "pretrain" | "classifier" | "encoder";

/** Reads shapes of a file by our names of parameters. */
class Shapes {
  readonly #source: WeightSource;
  readonly #names: UnwrappedNames;

  constructor(source: WeightSource, names: UnwrappedNames) {
    this.#source = source;
    this.#names = names;
  }

  /** The shape of the first tensor that holds a parameter; undefined when the file has none. */
  find(ours: string): readonly number[] | undefined {
    const { layout, stored } = this.#names;
    const [first] = storedNames(layout, ours, (name) => stored.has(name)) ?? [];
    const name = first === undefined ? undefined : stored.get(first);
    return name === undefined ? undefined : this.#source.entry(name).shape;
  }

  /** As `find`, of a parameter that every model has. */
  get(ours: string, rank: number): readonly number[] {
    const shape = this.find(ours);
    if (shape?.length === rank) return shape;
    throw new VideomaeError({
      op: this.#source.path,
      expected: `${ours} with ${rank} axes`,
      got: shape === undefined ? "a file without it" : `[${shape}]`,
      hint: "the file is damaged, or of another kind of model",
    });
  }

  /** The number of blocks: one more than the largest number that occurs. */
  depth(prefix: string): number {
    let depth = 0;
    for (const stored of this.#names.stored.keys()) {
      const ours = ourName(this.#names.layout, stored);
      const number = ours?.startsWith(prefix) ? Number.parseInt(ours.slice(prefix.length), 10) : -1;
      depth = Math.max(depth, number + 1);
    }
    return depth;
  }
}

/** Whether the file holds a decoder, a head, or neither. */
export function weightsKind({ layout, stored }: UnwrappedNames): WeightsKind {
  const ours = new Set([...stored.keys()].map((name) => ourName(layout, name)));
  if (ours.has("mask_token") && ours.has("decoder.head.weight")) return "pretrain";
  return ours.has("head.weight") ? "classifier" : "encoder";
}

/** The classifier, or feature extractor without a head, that weights make. `given` wins over what the shapes say. */
export function inferClassifierConfig(
  source: WeightSource,
  names: UnwrappedNames,
  given: Partial<ClassifierConfig> = {},
): ClassifierConfig {
  const shapes = new Shapes(source, names);
  const kind = weightsKind(names);
  const pooled = shapes.find("fc_norm.weight") !== undefined;
  const tokens = shapes.find("norm.weight") !== undefined;
  const { normEps, pooledNormEps } = names.layout.norms;
  return resolveClassifierConfig({
    ...encoderOf(source, shapes, given.heads),
    normEps,
    pooledNormEps,
    classes: kind === "classifier" ? shapes.get("head.weight", 2)[0] : 0,
    pooling: kind === "classifier" && !pooled ? "first-token" : "mean",
    norm: pooled ? "pooled" : tokens ? "tokens" : "none",
    ...given,
  });
}

/** The pre-training model that weights make. `given` wins over what the shapes say. */
export function inferPretrainConfig(
  source: WeightSource,
  names: UnwrappedNames,
  given: Partial<PretrainConfig> = {},
): PretrainConfig {
  const shapes = new Shapes(source, names);
  const kind = weightsKind(names);
  if (kind !== "pretrain") {
    throw new VideomaeError({
      op: source.path,
      expected: "a pre-training model, with a decoder",
      got: kind === "encoder" ? "an encoder alone" : "a classifier",
      hint: "load it as a classifier or feature extractor",
    });
  }
  const [, , decoderWidth] = shapes.get("mask_token", 3);
  const { normEps, decoderNormEps } = names.layout.norms;
  return resolvePretrainConfig({
    ...encoderOf(source, shapes, given.heads),
    normEps,
    decoderNormEps,
    decoderWidth,
    decoderDepth: shapes.depth("decoder.blocks."),
    decoderHeads: given.decoderHeads ?? headsOf(source, "decoderHeads", decoderWidth),
    ...given,
  });
}

function encoderOf(source: WeightSource, shapes: Shapes, heads: number | undefined) {
  const [width, , tubelet, patch] = shapes.get("patch_embed.proj.weight", 5);
  const [hidden] = shapes.get("blocks.0.mlp.fc1.weight", 2);
  const scale = shapes.find("blocks.0.attn.scale");
  return {
    width,
    tubelet,
    patch,
    depth: shapes.depth("blocks."),
    heads: heads ?? scale?.[0] ?? headsOf(source, "heads", width),
    mlpRatio: mlpRatio(width, hidden),
    qkvBias: shapes.find("blocks.0.attn.q_bias") !== undefined,
    // The value only says that there are layer scales; the file has theirs.
    layerScale: shapes.find("blocks.0.gamma_1") !== undefined ? 1 : 0,
    cosineAttention: scale !== undefined,
  };
}

/** The ratio whose product with the width, truncated, is the hidden width. */
export function mlpRatio(width: number, hidden: number): number {
  const registered = Object.values(modelSizes).find((size) => Math.trunc(width * size.mlpRatio) === hidden);
  if (registered !== undefined) return registered.mlpRatio;
  return Math.trunc(width * (hidden / width)) === hidden ? hidden / width : (hidden + 0.5) / width;
}

/** Heads by width, as in the registered sizes. */
function headsOf(source: WeightSource, field: "heads" | "decoderHeads", width: number): number {
  const sizes = Object.values(modelSizes);
  const known = field === "heads" ? sizes.find((s) => s.width === width)?.heads : undefined;
  const found = known ?? sizes.find((s) => s.decoderWidth === width && field === "decoderHeads")?.decoderHeads;
  if (found !== undefined) return found;
  throw new VideomaeError({
    op: source.path,
    expected: `a registered width, which tells the number of heads`,
    got: `width ${width}`,
    hint: `the shapes do not tell it: give ${field} in the configuration${field === "heads" ? " (--heads)" : ""}`,
  });
}
