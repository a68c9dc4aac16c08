// Which model a set of weights is, by the names and shapes of its tensors: numbers of the encoder, whether there is a
// decoder or a head, and the registered size of these numbers. Names are bare, without what wrapping put before them.

import { type ModelName, modelSizes } from "./sizes.js";

/** What names and shapes of tensors tell of a model. */
export interface RecognizedWeights {
  /** Whose names they are: of the official code, or of Hugging Face's. */
  readonly names: "official" | "Hugging Face";
  readonly kind: "pre-training model" | "classifier" | "encoder";
  /** The registered size of the same width, depth and patch. */
  readonly size: ModelName | undefined;
  readonly width: number;
  readonly depth: number;
  readonly patch: number;
  readonly tubelet: number;
  readonly decoder: { readonly width: number; readonly depth: number } | undefined;
  /** Of a classifier. */
  readonly classes: number | undefined;
  /** How tokens become one vector: normalised after their mean, or the first of the normalised tokens. */
  readonly pooling: "mean" | "first token" | undefined;
  /** Names of the biases of queries and values. */
  readonly queryValueBiases: readonly string[];
}

/** What the parts of a model are called; `#` stands for the number of a block. */
interface Names {
  readonly names: RecognizedWeights["names"];
  readonly patches: RegExp;
  /** A weight of each encoder block, and of each decoder block, which tells its width. */
  readonly block: RegExp;
  readonly decoderBlock: RegExp;
  readonly head: string;
  readonly queryValueBias: RegExp;
}

const known: readonly Names[] = [
  {
    names: "official",
    patches: /^(encoder\.)?patch_embed\.proj\.weight$/,
    block: /^(?:encoder\.)?blocks\.(\d+)\.norm1\.weight$/,
    decoderBlock: /^decoder\.blocks\.(\d+)\.norm1\.weight$/,
    head: "head.weight",
    queryValueBias: /\.attn\.[qv]_bias$/,
  },
  {
    names: "Hugging Face",
    patches: /^(videomae\.)?embeddings\.patch_embeddings\.projection\.weight$/,
    block: /^(?:videomae\.)?encoder\.layer\.(\d+)\.layernorm_before\.weight$/,
    decoderBlock: /^decoder\.decoder_layers\.(\d+)\.layernorm_before\.weight$/,
    head: "classifier.weight",
    queryValueBias: /\.attention\.attention\.([qv]_bias|(query|value)\.bias)$/,
  },
];

/**
 * The model that has these tensors; undefined when it is none of ours.
 * @param shapes  by bare name
 */
export function recognizeWeights(shapes: ReadonlyMap<string, readonly number[]>): RecognizedWeights | undefined {
  const names = [...shapes.keys()];
  for (const { patches, block, decoderBlock, head, queryValueBias, ...rest } of known) {
    const projection = shapes.get(names.find((name) => patches.test(name)) ?? ""); // (D, 3, tubelet, patch, patch)
    if (projection?.length !== 5) continue;
    const [width, , tubelet, patch] = projection;
    const depth = countBlocks(names, block);
    const decoder = decoderOf(shapes, names, decoderBlock);
    const classes = shapes.get(head)?.[0];
    const kind = decoder ? "pre-training model" : classes === undefined ? "encoder" : "classifier";
    const sizes = Object.entries(modelSizes) as [ModelName, (typeof modelSizes)[ModelName]][];
    const size = sizes.find(([, s]) => s.width === width && s.depth === depth && s.patch === patch)?.[0];
    const pooling = kind === "pre-training model" ? undefined : shapes.has("fc_norm.weight") ? "mean" : "first token";
    const queryValueBiases = names.filter((name) => queryValueBias.test(name));
    return { ...rest, kind, size, width, depth, patch, tubelet, decoder, classes, pooling, queryValueBiases };
  }
  return undefined;
}

function countBlocks(names: readonly string[], block: RegExp): number {
  return names.reduce((count, name) => Math.max(count, Number(block.exec(name)?.[1] ?? -1) + 1), 0);
}

function decoderOf(shapes: ReadonlyMap<string, readonly number[]>, names: readonly string[], block: RegExp) {
  const depth = countBlocks(names, block);
  const width = shapes.get(names.find((name) => block.test(name)) ?? "")?.[0];
  return width === undefined ? undefined : { width, depth };
}
