// What weights are called in the files that people have, as tables. Our own name of a parameter is the one of the
// official fine-tuned checkpoints for the encoder and the head (`blocks.0.attn.qkv.weight`, `head.weight`), and the one
// of the official pre-training checkpoints for the rest (`decoder.head.weight`, `mask_token`).
//
// A row says which tensors of a layout hold one parameter: their rows one after the other. `#` stands for the number of
// a block. Tables are read both ways: `storedNames` for reading and writing a parameter, `ourName` for what a file holds.

import { nearest, VideomaeError } from "../errors.js";
import type { RecognizedWeights } from "../models/recognize-weights.js";

/** One parameter in a layout. */
interface NameRow {
  readonly ours: string;
  /** The tensors that hold it, concatenated along the first axis. */
  readonly stored: readonly string[];
  /** Other names of the same tensors, in files of other releases. */
  readonly also?: readonly string[];
}

/** The kinds of files, by what their names look like. */
export type LayoutName =
  | "official-pretrain"
  | "official-classifier"
  | "hugging-face-model"
  | "hugging-face-pretrain"
  | "hugging-face-classifier";

/** What a model is, as far as layouts tell models apart. */
export type ModelKind = RecognizedWeights["kind"];

export interface Layout {
  readonly name: LayoutName;
  /** For people. */
  readonly title: string;
  /** The models that are written in it. */
  readonly holds: readonly ModelKind[];
  /** The class of the transformers library that opens it, from a folder with a config.json. */
  readonly architecture?: string;
  readonly rows: readonly NameRow[];
  /** Tensors that change no output, and why. */
  readonly inert: Readonly<Record<string, string>>;
  /** Fixed positional tables, which some files store although they are no parameters: of the encoder and the decoder. */
  readonly tables: { readonly encoder: readonly string[]; readonly decoder: readonly string[] };
  /** Epsilons of the layer norms where no configuration says other: of blocks, of the pooled vector, of the decoder. */
  readonly norms: { readonly normEps: number; readonly pooledNormEps: number; readonly decoderNormEps: number };
}

const both = (name: string): string[] => [`${name}.weight`, `${name}.bias`];

/** The parameters of a block, without its prefix, in the order of the official checkpoints. */
const blockNames = [
  ...["gamma_1", "gamma_2", ...both("norm1"), "attn.scale", "attn.q_bias", "attn.v_bias", "attn.qkv.weight"],
  ...["attn.proj", "norm2", "mlp.fc1", "mlp.fc2"].flatMap(both),
];

const trunkNames = [...both("patch_embed.proj"), ...blockNames.map((name) => `blocks.#.${name}`), ...both("norm")];
const headNames = ["fc_norm", "head"].flatMap(both);
const decoderNames = [
  ...["mask_token", ...blockNames.map((name) => `decoder.blocks.#.${name}`)],
  ...["decoder.norm", "decoder.head"].flatMap(both),
  "encoder_to_decoder.weight",
];

const same = (names: readonly string[]): NameRow[] => names.map((ours) => ({ ours, stored: [ours] }));

// Hugging Face: query, key and value apart. Its layers have no layer scale and no cosine attention. Releases before 5 and
// every published checkpoint call the biases q_bias and v_bias; some later ones write query.bias and value.bias, and a
// key.bias.
const layerRows: readonly NameRow[] = [
  { ours: "norm1.weight", stored: ["layernorm_before.weight"] },
  { ours: "norm1.bias", stored: ["layernorm_before.bias"] },
  { ours: "attn.q_bias", stored: ["attention.attention.q_bias"], also: ["attention.attention.query.bias"] },
  { ours: "attn.v_bias", stored: ["attention.attention.v_bias"], also: ["attention.attention.value.bias"] },
  {
    ours: "attn.qkv.weight",
    stored: ["query", "key", "value"].map((part) => `attention.attention.${part}.weight`),
  },
  { ours: "attn.proj.weight", stored: ["attention.output.dense.weight"] },
  { ours: "attn.proj.bias", stored: ["attention.output.dense.bias"] },
  { ours: "norm2.weight", stored: ["layernorm_after.weight"] },
  { ours: "norm2.bias", stored: ["layernorm_after.bias"] },
  { ours: "mlp.fc1.weight", stored: ["intermediate.dense.weight"] },
  { ours: "mlp.fc1.bias", stored: ["intermediate.dense.bias"] },
  { ours: "mlp.fc2.weight", stored: ["output.dense.weight"] },
  { ours: "mlp.fc2.bias", stored: ["output.dense.bias"] },
];

const prefixed = (rows: readonly NameRow[], ours: string, stored: string): NameRow[] =>
  rows.map((row) => ({
    ours: ours + row.ours,
    stored: row.stored.map((name) => stored + name),
    also: row.also?.map((name) => stored + name),
  }));

const encoderRows = (prefix: string): NameRow[] => [
  { ours: "patch_embed.proj.weight", stored: [`${prefix}embeddings.patch_embeddings.projection.weight`] },
  { ours: "patch_embed.proj.bias", stored: [`${prefix}embeddings.patch_embeddings.projection.bias`] },
  ...prefixed(layerRows, "blocks.#.", `${prefix}encoder.layer.#.`),
  { ours: "norm.weight", stored: [`${prefix}layernorm.weight`] },
  { ours: "norm.bias", stored: [`${prefix}layernorm.bias`] },
];

const decoderRows: readonly NameRow[] = [
  ...same(["mask_token"]),
  ...prefixed(layerRows, "decoder.blocks.#.", "decoder.decoder_layers.#."),
  ...same([...both("decoder.norm"), ...both("decoder.head"), "encoder_to_decoder.weight"]),
];

const officialNorms = { normEps: 1e-6, pooledNormEps: 1e-6, decoderNormEps: 1e-6 };
// The last two are made without saying an epsilon, and so have the framework's.
const huggingFaceNorms = { normEps: 1e-12, pooledNormEps: 1e-5, decoderNormEps: 1e-5 };
const keyBias = "adds the same to every score of a query, which the softmax takes out again";
const officialTables = { encoder: ["pos_embed", "encoder.pos_embed"], decoder: ["decoder.pos_embed"] };
const huggingFaceTables = (prefix: string) => ({
  encoder: [`${prefix}embeddings.position_embeddings`],
  decoder: prefix === "" ? [] : ["position_embeddings"],
});
const huggingFaceInert = (prefix: string) => ({
  [`${prefix}encoder.layer.#.attention.attention.key.bias`]: keyBias,
  "decoder.decoder_layers.#.attention.attention.key.bias": keyBias,
});

/** Every layout, by name. */
export const layouts: Readonly<Record<LayoutName, Layout>> = {
  "official-pretrain": {
    name: "official-pretrain",
    title: "official pre-training checkpoint",
    holds: ["pre-training model"],
    rows: [...trunkNames.map((ours) => ({ ours, stored: [`encoder.${ours}`] })), ...same(decoderNames)],
    inert: {},
    tables: officialTables,
    norms: officialNorms,
  },
  "official-classifier": {
    name: "official-classifier",
    title: "official fine-tuned checkpoint",
    holds: ["classifier", "encoder"],
    rows: same([...trunkNames, ...headNames]),
    inert: {},
    tables: officialTables,
    norms: officialNorms,
  },
  "hugging-face-model": {
    name: "hugging-face-model",
    title: "Hugging Face VideoMAEModel",
    holds: ["encoder"],
    architecture: "VideoMAEModel",
    rows: encoderRows(""),
    inert: huggingFaceInert(""),
    tables: huggingFaceTables(""),
    norms: huggingFaceNorms,
  },
  "hugging-face-pretrain": {
    name: "hugging-face-pretrain",
    title: "Hugging Face VideoMAEForPreTraining",
    holds: ["pre-training model"],
    architecture: "VideoMAEForPreTraining",
    rows: [...encoderRows("videomae."), ...decoderRows],
    inert: huggingFaceInert("videomae."),
    tables: huggingFaceTables("videomae."),
    norms: huggingFaceNorms,
  },
  "hugging-face-classifier": {
    name: "hugging-face-classifier",
    title: "Hugging Face VideoMAEForVideoClassification",
    holds: ["classifier"],
    architecture: "VideoMAEForVideoClassification",
    rows: [
      ...encoderRows("videomae."),
      ...same(both("fc_norm")),
      { ours: "head.weight", stored: ["classifier.weight"] },
      { ours: "head.bias", stored: ["classifier.bias"] },
    ],
    inert: huggingFaceInert("videomae."),
    tables: huggingFaceTables("videomae."),
    norms: huggingFaceNorms,
  },
};

/** The names of all layouts. */
export const layoutNames = Object.keys(layouts) as readonly LayoutName[];

/** The number of a block in a name; at most one occurs. */
export const blockNumber = /(?<=\.|^)\d+(?=\.)/;
const patternOf = (name: string): string => name.replace(blockNumber, "#");
const numbered = (pattern: string, name: string): string => pattern.replace("#", blockNumber.exec(name)?.[0] ?? "#");

/**
 * The layout of a name.
 * @throws VideomaeError with the nearest name when there is none
 */
export function layoutNamed(name: string): Layout {
  if (Object.hasOwn(layouts, name)) return layouts[name as LayoutName];
  const near = nearest(name, layoutNames);
  throw new VideomaeError({
    op: "layout",
    expected: `one of ${layoutNames.join(", ")}`,
    got: `"${name}"`,
    hint: near ? `did you mean "${near}"?` : undefined,
  });
}

/** What the tables call a parameter of a model: those of an encoder go without the prefix they have in pre-training models. */
export function tableName(parameter: string): string {
  return parameter.startsWith("encoder.") ? parameter.slice("encoder.".length) : parameter;
}

/**
 * The tensors of a layout that hold the parameter `ours`, to be concatenated along the first axis; undefined when the
 * layout has no such parameter.
 * @param has  whether a file holds a name: decides between the names of different releases, which are otherwise those of
 *   published checkpoints
 */
export function storedNames(
  layout: Layout,
  ours: string,
  has: (name: string) => boolean = () => true,
): string[] | undefined {
  const row = tableOf(layout).byOurs.get(patternOf(ours));
  if (row === undefined) return undefined;
  const names = row.stored.map((pattern) => numbered(pattern, ours));
  const others = row.also?.map((pattern) => numbered(pattern, ours));
  return others !== undefined && !names.every(has) && others.every(has) ? others : names;
}

/** The parameter that a layout's tensor `stored` belongs to; undefined when it belongs to none. */
export function ourName(layout: Layout, stored: string): string | undefined {
  const row = tableOf(layout).byStored.get(patternOf(stored));
  return row && numbered(row.ours, stored);
}

/** Why a layout's tensor `stored` changes no output; undefined when it does. */
export function inertBecause(layout: Layout, stored: string): string | undefined {
  return layout.inert[patternOf(stored)];
}

interface Table {
  readonly byOurs: ReadonlyMap<string, NameRow>;
  readonly byStored: ReadonlyMap<string, NameRow>;
}

const tables = new Map<Layout, Table>();

function tableOf(layout: Layout): Table {
  let table = tables.get(layout);
  if (table === undefined) {
    table = {
      byOurs: new Map(layout.rows.map((row) => [row.ours, row])),
      byStored: new Map(layout.rows.flatMap((row) => [...row.stored, ...(row.also ?? [])].map((name) => [name, row]))),
    };
    tables.set(layout, table);
  }
  return table;
}
