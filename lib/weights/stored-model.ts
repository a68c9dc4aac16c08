// A model as it lies in a file: what it is, and its parameters, each read when it is asked for. So what is made of it
// (another layout, a mean of several, a graph for other programs) needs the memory of one parameter.

import { type OpenWeightsOptions, openWeights, type Weights } from "../io/weights.js";
import { type ClassifierConfig, classifierShapes } from "../models/classifier-config.js";
import { type NamedShape, type PretrainConfig, parameterShapes } from "../models/sizes.js";
import type { PositionMode } from "../nn/position-table.js";
import { type DescribedModel, describeClassifier, describePretrain } from "./describe-model.js";
import { detectLayout } from "./detect-layout.js";
import type { HubPreprocessing } from "./hub-config.js";
import { readParameter } from "./load-weights.js";

interface StoredParameters {
  /** Where it was read from, for messages. */
  readonly path: string;
  readonly position: PositionMode;
  /** Names of the classes, by number. */
  readonly labels?: readonly string[];
  readonly preprocessing: HubPreprocessing;
  /** Names and shapes of the model's parameters, in the order of the published checkpoints. */
  readonly parameters: readonly NamedShape[];
  /** What a user must know of these weights. */
  readonly warnings: readonly string[];
  /** The values of a parameter, row-major. */
  read(name: string): Float32Array;
}

export interface StoredPretrain extends StoredParameters {
  readonly kind: "pre-training model";
  readonly config: PretrainConfig;
}

/** An encoder is a classifier without classes. */
export interface StoredClassifier extends StoredParameters {
  readonly kind: "classifier" | "encoder";
  readonly config: ClassifierConfig;
}

export type StoredModel = StoredPretrain | StoredClassifier;

export interface OpenStoredOptions extends OpenWeightsOptions {
  /** The encoder alone, without decoder, head and the norm over the pooled vector. Default false. */
  readonly encoder?: boolean;
  /** Fields of the model's description that win over what the file says. */
  readonly config?: Partial<PretrainConfig> & Partial<ClassifierConfig>;
  /** Where the positional table of an unusual token grid comes from, where the file does not say. */
  readonly position?: PositionMode;
}

/**
 * Opens the model in a file without making it.
 * @param path  a file of weights, the folder of a run (its newest checkpoint), or a model hub's folder
 * @returns the model, open until it is disposed of
 * @throws VideomaeError when the file is damaged, of no known kind, or does not hold the whole model
 */
export function openStoredModel(path: string, options: OpenStoredOptions = {}): Promise<StoredModel & Disposable> {
  return open(path, options, (weights) => {
    const { kind } = detectLayout(weights).recognized;
    if (kind !== "pre-training model" || options.encoder) return storedClassifier(weights, options);
    const model = describePretrain(weights, options);
    return { kind, config: model.config, ...storedIn(weights, model, parameterShapes(model.config), options) };
  });
}

/** The same as a classifier, or as an encoder: of a pre-training model its own. */
export function openStoredClassifier(
  path: string,
  options: OpenStoredOptions = {},
): Promise<StoredClassifier & Disposable> {
  return open(path, options, (weights) => storedClassifier(weights, options));
}

async function open<M extends StoredModel>(
  path: string,
  { container }: OpenWeightsOptions,
  describe: (weights: Weights) => M,
): Promise<M & Disposable> {
  const weights = await openWeights(path, { container });
  try {
    return { ...describe(weights), [Symbol.dispose]: () => weights.close() };
  } catch (error) {
    weights.close();
    throw error;
  }
}

function storedClassifier(weights: Weights, options: OpenStoredOptions): StoredClassifier {
  const { encoder = false, config } = options;
  let model = describeClassifier(weights, { config });
  if (encoder) model = describeClassifier(weights, { config: { ...config, ...withoutHead(model.config) } });
  const kind = model.config.classes > 0 ? "classifier" : "encoder";
  return { kind, config: model.config, ...storedIn(weights, model, classifierShapes(model.config), options) };
}

function storedIn(
  weights: Weights,
  { plan, labels, preprocessing, position = "generate" }: DescribedModel<unknown>,
  parameters: readonly NamedShape[],
  options: OpenStoredOptions,
): StoredParameters {
  return {
    ...{ path: weights.path, position: options.position ?? position, labels, preprocessing, parameters },
    warnings: plan.report.warnings,
    read: (name) => readParameter(weights, plan.stored.get(name)!),
  };
}

/** What makes a feature extractor of a classifier. */
function withoutHead({ norm }: ClassifierConfig): Partial<ClassifierConfig> {
  return { classes: 0, pooling: "mean", norm: norm === "tokens" ? "tokens" : "none" };
}
