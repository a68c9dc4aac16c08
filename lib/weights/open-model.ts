// From a path to a model with its weights: finds the file, recognises what it holds, makes the model it describes, and
// loads it.

import { VideomaeError } from "../errors.js";
import { ClassifierModel } from "../models/classifier.js";
import { type ClassifierConfig, encoderConfig, resolveClassifierConfig } from "../models/classifier-config.js";
import { type ModelOptions, PretrainModel } from "../models/pretrain.js";
import { type PretrainConfig, resolvePretrainConfig } from "../models/sizes.js";
import type { PositionMode } from "../nn/position-table.js";
import { detectLayout } from "./detect-layout.js";
import type { HubPreprocessing } from "./hub-config.js";
import { inferClassifierConfig, inferPretrainConfig, weightsKind } from "./infer-config.js";
import type { LoadReport } from "./load-report.js";
import { type LoadOptions, loadWeights } from "./load-weights.js";
import { type OpenWeights, openWeightsAt } from "./weight-files.js";

/** How a model is made from weights; fields of `config` win over what the file says. */
export interface OpenOptions<Config> extends LoadOptions, Pick<ModelOptions, "dtype" | "seed" | "position"> {
  readonly config?: Partial<Config>;
}

/** A classifier, or a feature extractor when the weights have no head. */
export interface OpenedClassifier {
  /** In evaluation mode; the caller disposes of it. */
  readonly model: ClassifierModel;
  readonly report: LoadReport;
  /** Names of the classes, by number, where the weights come with some. */
  readonly labels?: readonly string[];
  readonly preprocessing: HubPreprocessing;
}

export interface OpenedPretrain {
  /** In evaluation mode; the caller disposes of it. */
  readonly model: PretrainModel;
  readonly report: LoadReport;
}

/**
 * Opens weights as a classifier. Pre-training checkpoints and encoders become feature extractors: no head, and the mean
 * over tokens after the encoder's own layer norm.
 *
 * @param path  a file of weights, the folder of a run (its newest checkpoint), or a model hub's folder
 * @throws VideomaeError when the file is damaged, of no known kind, or does not hold the whole model
 */
export function openClassifier(path: string, options: OpenOptions<ClassifierConfig> = {}): OpenedClassifier {
  using weights = openWeightsAt(path);
  const { source, run, hub } = weights;
  const names = detectLayout(source.path, source.names);
  const config = run
    ? resolveClassifierConfig(classifierOfRun(weights), options.config)
    : inferClassifierConfig(source, names, { ...hub?.classifier, ...options.config });
  const model = new ClassifierModel(config, { ...options, position: positionOf(weights, options) });
  const report = loadInto(model, weights, options);
  const head = weightsKind(names) === "classifier" && hub?.labels?.length === config.classes;
  const { preprocessing = {} } = weights;
  return { model, report, preprocessing, labels: head ? hub.labels : undefined };
}

/**
 * Opens weights as a pre-training model.
 * @param path  as for `openClassifier`
 * @throws VideomaeError when the file is damaged, has no decoder, or does not hold the whole model
 */
export function openPretrain(path: string, options: OpenOptions<PretrainConfig> = {}): OpenedPretrain {
  using weights = openWeightsAt(path);
  const { source, run, hub } = weights;
  const config = run
    ? resolvePretrainConfig(pretrainOfRun(weights), options.config)
    : inferPretrainConfig(source, detectLayout(source.path, source.names), { ...hub?.pretrain, ...options.config });
  const model = new PretrainModel(config, { ...options, position: positionOf(weights, options) });
  return { model, report: loadInto(model, weights, options) };
}

/**
 * Loads weights from a path into a model that is already made, e.g. an encoder into a classifier to be fine-tuned.
 * @param path  as for `openClassifier`
 */
export function loadWeightsFrom(
  path: string,
  model: ClassifierModel | PretrainModel,
  options: LoadOptions = {},
): LoadReport {
  using weights = openWeightsAt(path);
  return loadWeights(model, weights.source, options);
}

function loadInto(model: ClassifierModel | PretrainModel, { source }: OpenWeights, options: LoadOptions): LoadReport {
  try {
    const report = loadWeights(model, source, options);
    model.train(false);
    return report;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function positionOf({ run }: OpenWeights, { position }: { position?: PositionMode }): PositionMode | undefined {
  const { position: ofRun } = (run?.config ?? {}) as { position?: PositionMode };
  return position ?? ofRun;
}

type RunModel = Partial<PretrainConfig> & Partial<ClassifierConfig>;

function classifierOfRun({ run }: OpenWeights): Partial<ClassifierConfig> {
  const model = run?.model as RunModel;
  if (model.classes !== undefined) return model;
  return { ...encoderConfig(resolvePretrainConfig(model)), classes: 0, pooling: "mean", norm: "tokens" };
}

function pretrainOfRun({ run, source }: OpenWeights): Partial<PretrainConfig> {
  const model = run?.model as RunModel;
  if (model.classes === undefined) return model;
  throw new VideomaeError({ op: source.path, expected: "a checkpoint of a pre-training run", got: "a classifier's" });
}
