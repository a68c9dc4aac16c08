// From a path to a model with its weights: opens the file, recognises what it holds, makes the model it describes, and
// loads it.

import { type OpenWeightsOptions, openWeights, type Weights } from "../io/weights.js";
import { ClassifierModel } from "../models/classifier.js";
import type { ClassifierConfig } from "../models/classifier-config.js";
import { type ModelOptions, PretrainModel } from "../models/pretrain.js";
import type { PretrainConfig } from "../models/sizes.js";
import type { PositionMode } from "../nn/position-table.js";
import { type DescribeOptions, describeClassifier, describePretrain } from "./describe-model.js";
import type { HubPreprocessing } from "./hub-config.js";
import type { LoadReport } from "./load-report.js";
import { executePlan, type LoadOptions, type LoadPlan, loadWeights } from "./load-weights.js";
import type { RunSampling } from "./run-description.js";

/** How a model is made from weights; fields of `config` win over what the file says. */
export interface OpenOptions<Config>
  extends DescribeOptions<Config>,
    Pick<ModelOptions, "device" | "dtype" | "seed" | "position"> {}

/** A classifier, or a feature extractor when the weights have no head. */
export interface OpenedClassifier {
  /** In evaluation mode; the caller disposes of it. */
  readonly model: ClassifierModel;
  readonly report: LoadReport;
  /** Names of the classes, by number, where the weights come with some. */
  readonly labels?: readonly string[];
  readonly preprocessing: HubPreprocessing;
  /** How the run sampled that the weights are of. */
  readonly sampling: RunSampling;
}

/** A pre-training model of stored weights. */
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
export async function openClassifier(
  path: string,
  options: OpenOptions<ClassifierConfig> = {},
): Promise<OpenedClassifier> {
  using weights = await openWeights(path, options);
  const { config, plan, position, labels, preprocessing, sampling } = describeClassifier(weights, options);
  const model = new ClassifierModel(config, modelOptions(options, position));
  return { model, report: loadInto(model, weights, plan), labels, preprocessing, sampling };
}

/**
 * What weights say of the classifier, or feature extractor, that they make; nothing is loaded.
 * @param path  as for `openClassifier`
 * @param given  wins over what the file says
 */
export async function classifierConfigOf(
  path: string,
  given: Partial<ClassifierConfig> = {},
): Promise<ClassifierConfig> {
  using weights = await openWeights(path);
  return describeClassifier(weights, { config: given }).config;
}

/**
 * Opens weights as a pre-training model.
 * @param path  as for `openClassifier`
 * @throws VideomaeError when the file is damaged, has no decoder, or does not hold the whole model
 */
export async function openPretrain(path: string, options: OpenOptions<PretrainConfig> = {}): Promise<OpenedPretrain> {
  using weights = await openWeights(path, options);
  const { config, plan, position } = describePretrain(weights, options);
  const model = new PretrainModel(config, modelOptions(options, position));
  return { model, report: loadInto(model, weights, plan) };
}

/**
 * Loads weights from a path into a model that is already made, e.g. an encoder into a classifier to be fine-tuned.
 * @param path  as for `openClassifier`
 */
export async function loadWeightsFrom(
  path: string,
  model: ClassifierModel | PretrainModel,
  options: LoadOptions & OpenWeightsOptions = {},
): Promise<LoadReport> {
  using weights = await openWeights(path, options);
  return loadWeights(model, weights, options);
}

/** Initial values cost time, and only a model that is loaded in part keeps some. */
function modelOptions(
  { device, dtype, seed, position, partial = false }: OpenOptions<unknown>,
  stored: PositionMode | undefined,
) {
  return { device, dtype, seed, position: position ?? stored, initialize: partial };
}

function loadInto(model: ClassifierModel | PretrainModel, weights: Weights, plan: LoadPlan): LoadReport {
  try {
    const report = executePlan(model, weights, plan);
    model.train(false);
    return report;
  } catch (error) {
    model.dispose();
    throw error;
  }
}
