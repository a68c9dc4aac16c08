// The full description of a classifier or feature extractor, and the names and shapes of its parameters in the order of
// the published checkpoints (spec 1.7, 1.9). Only numbers live here: no tensor is made.

import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import {
  checkEncoderConfig,
  type EncoderConfig,
  modelSize,
  modelSizes,
  type NamedShape,
  normShapes,
  trunkShapes,
} from "./sizes.js";

/** Everything that decides the parameters and the arithmetic of a classifier. */
export interface ClassifierConfig extends EncoderConfig {
  /** Classes of the head; 0: no head, the model only gives features. */
  readonly classes: number;
  /** What becomes of the N tokens: their mean, or the first one, which is an ordinary patch token. */
  readonly pooling: "mean" | "first-token";
  /**
   * What the last layer norm is applied to: "pooled", the vector after pooling (the parameter `fc_norm` of fine-tuned
   * models); "tokens", every token before it (`norm`, as in pre-trained encoders and with the first token); or nothing.
   */
  readonly norm: "pooled" | "tokens" | "none";
  /** Epsilon of the layer norm over the pooled vector. */
  readonly pooledNormEps: number;
  /** Dropout before the head, in [0, 1). */
  readonly headDropout: number;
  /** What the head's initial weights are multiplied by. */
  readonly headInitScale: number;
}

const defaults = {
  classes: 400,
  pooling: "mean",
  norm: "pooled",
  pooledNormEps: 1e-6,
  headDropout: 0,
  headInitScale: 0.001,
} as const;

/** Names of the fields of an encoder. */
const encoderFields = [
  ...(["image", "frames", "tubelet", "patch", "channels", "width", "depth", "heads", "mlpRatio"] as const),
  ...(["qkvBias", "layerScale", "normEps", "cosineAttention", "dropPath"] as const),
] satisfies (keyof EncoderConfig)[];

/** Names of the fields of a classifier. */
export const classifierFields: readonly string[] = [...encoderFields, ...Object.keys(defaults)];

/** The encoder part of a description. */
export function encoderConfig(config: EncoderConfig): EncoderConfig {
  return Object.fromEntries(encoderFields.map((field) => [field, config[field]])) as unknown as EncoderConfig;
}

/**
 * A checked description: a registered size, or a partial one over ViT-B, with `overrides` on top. By default 400 classes
 * and mean pooling with a norm after it.
 *
 * @throws VideomaeError for unknown fields, and sizes that do not divide.
 */
export function resolveClassifierConfig(
  nameOrPartial: string | Partial<ClassifierConfig>,
  overrides: Partial<ClassifierConfig> = {},
): ClassifierConfig {
  const named = typeof nameOrPartial === "string";
  const base = encoderConfig(named ? modelSize(nameOrPartial) : modelSizes["vit-base"]);
  const partial = named ? {} : nameOrPartial;
  rejectUnknownOptions("classifier configuration", partial, classifierFields);
  rejectUnknownOptions("classifier configuration", overrides, classifierFields);
  const config: ClassifierConfig = { ...base, ...defaults, ...defined(partial), ...defined(overrides) };
  checkClassifierConfig(config);
  return config;
}

/** All parameters in the order of the published checkpoints. */
export function classifierShapes(config: ClassifierConfig): NamedShape[] {
  const { width, classes, norm } = config;
  return [
    ...trunkShapes(config),
    ...(norm === "none" ? [] : normShapes(norm === "pooled" ? "fc_norm" : "norm", width)),
    ...(classes === 0
      ? []
      : ([
          ["head.weight", [classes, width]],
          ["head.bias", [classes]],
        ] as const)),
  ];
}

function checkClassifierConfig(config: ClassifierConfig): void {
  checkEncoderConfig(config);
  if (!Number.isSafeInteger(config.classes) || config.classes < 0)
    throw bad("classes", "a number of classes, or 0 for no head", config.classes);
  if (!["mean", "first-token"].includes(config.pooling))
    throw bad("pooling", '"mean" or "first-token"', config.pooling);
  if (!["pooled", "tokens", "none"].includes(config.norm))
    throw bad("norm", '"pooled", "tokens" or "none"', config.norm);
  if (!(config.pooledNormEps > 0 && Number.isFinite(config.pooledNormEps)))
    throw bad("pooledNormEps", "above 0", config.pooledNormEps);
  if (!(config.headDropout >= 0 && config.headDropout < 1)) throw bad("headDropout", "in [0, 1)", config.headDropout);
  if (!(config.headInitScale >= 0 && Number.isFinite(config.headInitScale)))
    throw bad("headInitScale", "0 or more", config.headInitScale);
}

function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

function bad(field: string, expected: string, got: unknown): VideomaeError {
  return new VideomaeError({ op: `classifier configuration ${field}`, expected, got: String(got) });
}
