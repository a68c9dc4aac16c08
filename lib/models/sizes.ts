// Model sizes by name, the full description of a pre-training model, and the names and shapes of its parameters in the
// order of the published checkpoints (spec 1.1, 1.2, 1.9). Only numbers live here: no tensor is made.

import { nearest, rejectUnknownOptions, VideomaeError } from "../errors.js";

/** The input and the encoder, which pre-training models and classifiers share. */
export interface EncoderConfig {
  /** Side of the square input, pixels. */
  readonly image: number;
  readonly frames: number;
  /** Frames a token covers. */
  readonly tubelet: number;
  /** Side of a patch, pixels. */
  readonly patch: number;
  readonly channels: 3;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** MLP hidden width over width, in encoder and decoder. */
  readonly mlpRatio: number;
  /** Whether q and v have biases; k never has one. */
  readonly qkvBias: boolean;
  /** Initial value of the layer scales gamma_1 and gamma_2; 0: there are none. */
  readonly layerScale: number;
  /** Epsilon of the layer norms of blocks, and of the one over the encoder's tokens. */
  readonly normEps: number;
  readonly cosineAttention: boolean;
  /** Stochastic depth of the last block, in [0, 1); earlier ones have linearly less. */
  readonly dropPath: number;
}

/** Everything that decides the parameters and the arithmetic of a pre-training model. */
export interface PretrainConfig extends EncoderConfig {
  readonly decoderWidth: number;
  readonly decoderDepth: number;
  readonly decoderHeads: number;
  /** Epsilon of the layer norm before the decoder's head. */
  readonly decoderNormEps: number;
  /** Whether targets are normalised per token and channel. */
  readonly normalizeTarget: boolean;
}

const common = {
  image: 224,
  frames: 16,
  tubelet: 2,
  patch: 16,
  channels: 3,
  mlpRatio: 4,
  decoderDepth: 4,
  qkvBias: true,
  layerScale: 0,
  normEps: 1e-6,
  decoderNormEps: 1e-6,
  cosineAttention: false,
  dropPath: 0,
  normalizeTarget: true,
} as const;

const small = { width: 384, depth: 12, heads: 6, decoderWidth: 192, decoderHeads: 3 };
const base = { width: 768, depth: 12, heads: 12, decoderWidth: 384, decoderHeads: 6 };
const large = { width: 1024, depth: 24, heads: 16, decoderWidth: 512, decoderHeads: 8 };
const huge = { width: 1280, depth: 32, heads: 16, decoderWidth: 512, decoderHeads: 8 };
// The ratio holds in the decoder too: 512 * 48 / 11 truncates to 2234, as in the published weights.
const giant = { patch: 14, width: 1408, depth: 40, heads: 16, mlpRatio: 48 / 11, decoderWidth: 512, decoderHeads: 8 };
// A model that trains in milliseconds, for tests.
const tinyInput = { image: 32, frames: 8, patch: 8 };
const tiny = { ...tinyInput, width: 48, depth: 2, heads: 3, decoderWidth: 24, decoderDepth: 2, decoderHeads: 3 };

/** The registered sizes. */
export const modelSizes = {
  "vit-tiny": { ...common, ...tiny },
  "vit-small": { ...common, ...small },
  "vit-base": { ...common, ...base },
  "vit-large": { ...common, ...large },
  "vit-huge": { ...common, ...huge },
  "vit-giant": { ...common, ...giant },
} as const satisfies Record<string, PretrainConfig>;

/** The name of a registered size. */
export type ModelName = keyof typeof modelSizes;

const letters: Record<string, ModelName> = {
  S: "vit-small",
  B: "vit-base",
  L: "vit-large",
  H: "vit-huge",
  g: "vit-giant",
};

/** The registered name behind `name`: itself, without `vit-` ("small"), or the letter of the papers ("S", "B", "L", "H", "g"). */
export function modelName(name: string): ModelName {
  if (Object.hasOwn(modelSizes, name)) return name as ModelName;
  if (Object.hasOwn(modelSizes, `vit-${name}`)) return `vit-${name}` as ModelName;
  if (Object.hasOwn(letters, name)) return letters[name];
  const known = Object.keys(modelSizes);
  const near = nearest(name, [...known, ...known.map((full) => full.slice("vit-".length))]);
  throw new VideomaeError({
    op: "model",
    expected: `one of ${known.join(", ")}, or ${Object.keys(letters).join(", ")}`,
    got: `"${name}"`,
    hint: near ? `did you mean "${near}"?` : undefined,
  });
}

/** The description of a registered model. */
export function modelSize(name: string): PretrainConfig {
  return modelSizes[modelName(name)];
}

/**
 * A checked description: a registered one, or a partial one over ViT-B, with `overrides` on top.
 *
 * @throws VideomaeError for unknown fields, and sizes that do not divide.
 */
export function resolvePretrainConfig(
  nameOrPartial: string | Partial<PretrainConfig>,
  overrides: Partial<PretrainConfig> = {},
): PretrainConfig {
  const known = Object.keys(modelSizes["vit-base"]);
  const partial = typeof nameOrPartial === "string" ? modelSize(nameOrPartial) : nameOrPartial;
  rejectUnknownOptions("model configuration", partial, known);
  rejectUnknownOptions("model configuration", overrides, known);
  const given = Object.entries(overrides).filter(([, value]) => value !== undefined);
  const config: PretrainConfig = { ...modelSizes["vit-base"], ...partial, ...Object.fromEntries(given) };
  checkConfig(config);
  return config;
}

/** Tokens along time, height and width. */
export function tokenGrid({ image, frames, tubelet, patch }: EncoderConfig): { t: number; h: number; w: number } {
  return { t: frames / tubelet, h: image / patch, w: image / patch };
}

/** The published model whose positional table is the base for others of the same patch. */
export function publishedGrid({ patch }: Pick<EncoderConfig, "patch">): PretrainConfig {
  return modelSizes[patch === 14 ? "vit-giant" : "vit-base"];
}

/** Values of one token's cube of pixels: channels * tubelet * patch^2. */
export function patchValues({ channels, tubelet, patch }: EncoderConfig): number {
  return channels * tubelet * patch ** 2;
}

/** MLP hidden width of the encoder, width * ratio truncated. */
export function mlpHidden({ width, mlpRatio }: EncoderConfig): number {
  return Math.trunc(width * mlpRatio);
}

/** MLP hidden width of the decoder, width * ratio truncated. */
export function decoderMlpHidden({ decoderWidth, mlpRatio }: PretrainConfig): number {
  return Math.trunc(decoderWidth * mlpRatio);
}

/** A parameter's name in the published checkpoints, and its shape. */
export type NamedShape = readonly [name: string, shape: readonly number[]];

/** All parameters of a pre-training model in the order of the published checkpoints. */
export function parameterShapes(config: PretrainConfig): NamedShape[] {
  const { width, decoderWidth, decoderDepth, decoderHeads } = config;
  return [
    ["mask_token", [1, 1, decoderWidth]],
    ...trunkShapes(config, "encoder."),
    ...normShapes("encoder.norm", width),
    ...blockListShapes("decoder.", config, decoderDepth, decoderWidth, decoderHeads, decoderMlpHidden(config)),
    ...normShapes("decoder.norm", decoderWidth),
    ["decoder.head.weight", [patchValues(config), decoderWidth]],
    ["decoder.head.bias", [patchValues(config)]],
    ["encoder_to_decoder.weight", [decoderWidth, width]],
  ];
}

/** The number of parameters. */
export function parameterCount(config: PretrainConfig): number {
  return parameterShapes(config).reduce((sum, [, shape]) => sum + shape.reduce((count, side) => count * side, 1), 0);
}

/** Patch embedding and blocks of the encoder, each name after `prefix`. */
export function trunkShapes(config: EncoderConfig, prefix = ""): NamedShape[] {
  const { channels, tubelet, patch, width, depth, heads } = config;
  return [
    [`${prefix}patch_embed.proj.weight`, [width, channels, tubelet, patch, patch]],
    [`${prefix}patch_embed.proj.bias`, [width]],
    ...blockListShapes(prefix, config, depth, width, heads, mlpHidden(config)),
  ];
}

function blockListShapes(
  prefix: string,
  config: EncoderConfig,
  count: number,
  width: number,
  heads: number,
  hidden: number,
): NamedShape[] {
  return Array.from({ length: count }, (_, i) =>
    blockShapes(`${prefix}blocks.${i}`, config, width, heads, hidden),
  ).flat();
}

/** A block's own parameters come before those of its parts, and so do its attention's. */
function blockShapes(
  prefix: string,
  { qkvBias, layerScale, cosineAttention }: EncoderConfig,
  width: number,
  heads: number,
  hidden: number,
): NamedShape[] {
  const shapes: NamedShape[] = [];
  if (layerScale > 0) shapes.push([`${prefix}.gamma_1`, [width]], [`${prefix}.gamma_2`, [width]]);
  shapes.push(...normShapes(`${prefix}.norm1`, width));
  if (cosineAttention) shapes.push([`${prefix}.attn.scale`, [heads, 1, 1]]);
  if (qkvBias) shapes.push([`${prefix}.attn.q_bias`, [width]], [`${prefix}.attn.v_bias`, [width]]);
  shapes.push(
    [`${prefix}.attn.qkv.weight`, [3 * width, width]],
    [`${prefix}.attn.proj.weight`, [width, width]],
    [`${prefix}.attn.proj.bias`, [width]],
    ...normShapes(`${prefix}.norm2`, width),
    [`${prefix}.mlp.fc1.weight`, [hidden, width]],
    [`${prefix}.mlp.fc1.bias`, [hidden]],
    [`${prefix}.mlp.fc2.weight`, [width, hidden]],
    [`${prefix}.mlp.fc2.bias`, [width]],
  );
  return shapes;
}

export function normShapes(prefix: string, width: number): NamedShape[] {
  return [
    [`${prefix}.weight`, [width]],
    [`${prefix}.bias`, [width]],
  ];
}

/** Tokens of a clip. No attention reaches farther, and a wild number must not fill the memory with positions. */
const MOST_TOKENS = 2 ** 18;

function checkConfig(config: PretrainConfig): void {
  checkEncoderConfig(config);
  checkCounts(config, ["decoderWidth", "decoderDepth", "decoderHeads"]);
  checkDivides(config, [["decoderWidth", "decoderHeads", "384 with 6 heads"]]);
  if (decoderMlpHidden(config) < 1) throw bad("mlpRatio", "an MLP of 1 or more", config.mlpRatio);
  checkPositive(config, ["decoderNormEps"]);
  checkFlags(config, ["normalizeTarget"]);
}

/** Throws unless the encoder's sizes are positive integers that divide, and its other fields in range. */
export function checkEncoderConfig(config: EncoderConfig): void {
  checkCounts(config, ["image", "frames", "tubelet", "patch", "width", "depth", "heads"]);
  if (config.channels !== 3) throw bad("channels", "3, as video is RGB", config.channels);
  checkDivides(config, [
    ["image", "patch", "224 with patch 16 or 14"],
    ["frames", "tubelet", "16 with tubelet 2"],
    ["width", "heads", "768 with 12 heads"],
  ]);
  const { t, h, w } = tokenGrid(config);
  if (t * h * w > MOST_TOKENS) throw bad("image", `at most ${MOST_TOKENS} tokens`, `${t} x ${h} x ${w}`);
  checkPositive(config, ["mlpRatio", "normEps"]);
  if (mlpHidden(config) < 1) throw bad("mlpRatio", "an MLP of 1 or more", config.mlpRatio);
  if (!(config.layerScale >= 0 && Number.isFinite(config.layerScale)))
    throw bad("layerScale", "0 or more", config.layerScale);
  if (!(config.dropPath >= 0 && config.dropPath < 1)) throw bad("dropPath", "in [0, 1)", config.dropPath);
  checkFlags(config, ["qkvBias", "cosineAttention"]);
}

type Fields<K extends string> = Readonly<Record<K, unknown>>;

function checkCounts<K extends string>(config: Fields<K>, fields: readonly K[]): void {
  for (const field of fields) {
    const value = config[field];
    if (!Number.isSafeInteger(value) || (value as number) < 1) throw bad(field, "a positive integer", value);
  }
}

function checkDivides<K extends string>(
  config: Readonly<Record<K, number>>,
  divisors: readonly (readonly [field: K, by: K, example: string])[],
): void {
  for (const [field, by, example] of divisors) {
    if (config[field] % config[by] === 0) continue;
    throw bad(field, `a multiple of ${by} (${config[by]})`, config[field], `e.g. ${example}`);
  }
}

function checkPositive<K extends string>(config: Fields<K>, fields: readonly K[]): void {
  for (const field of fields) {
    const value = config[field] as number;
    if (!(value > 0 && Number.isFinite(value))) throw bad(field, "above 0", value);
  }
}

function checkFlags<K extends string>(config: Fields<K>, fields: readonly K[]): void {
  for (const field of fields) {
    if (typeof config[field] !== "boolean") throw bad(field, "true or false", config[field]);
  }
}

function bad(field: string, expected: string, got: unknown, hint?: string): VideomaeError {
  return new VideomaeError({ op: `model configuration ${field}`, expected, got: String(got), hint });
}
