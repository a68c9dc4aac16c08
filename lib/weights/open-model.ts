// From a path to a model with its weights: opens the file, recognises what it holds, makes the model it describes, and
// loads it.

import { dirname } from "node:path";
import { VideomaeError } from "../errors.js";
import { type OpenWeightsOptions, openWeights, type Weights } from "../io/weights.js";
import { ClassifierModel } from "../models/classifier.js";
import { type ClassifierConfig, classifierShapes, encoderConfig } from "../models/classifier-config.js";
import { type ModelOptions, PretrainModel } from "../models/pretrain.js";
import type { RecognizedWeights } from "../models/recognize-weights.js";
import { type PretrainConfig, parameterShapes, resolvePretrainConfig } from "../models/sizes.js";
import { detectLayout } from "./detect-layout.js";
import { type HubPreprocessing, isHubFile, readHubConfig, readHubPreprocessing } from "./hub-config.js";
import { inferClassifierConfig, inferPretrainConfig } from "./infer-config.js";
import type { LoadReport } from "./load-report.js";
import { executePlan, type LoadOptions, type LoadPlan, loadWeights, planLoad } from "./load-weights.js";
import { type RunDescription, type RunSampling, runOf } from "./run-description.js";
import { argumentsConfig } from "./training-arguments.js";

/** How a model is made from weights; fields of `config` win over what the file says. */
export interface OpenOptions<Config>
  extends LoadOptions,
    OpenWeightsOptions,
    Pick<ModelOptions, "device" | "dtype" | "seed" | "position"> {
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
  /** How the run sampled that the weights are of. */
  readonly sampling: RunSampling;
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
export async function openClassifier(
  path: string,
  options: OpenOptions<ClassifierConfig> = {},
): Promise<OpenedClassifier> {
  using weights = await openWeights(path, options);
  const { config, run, hub } = classifierOf(weights, options.config);
  const folder = isHubFile(weights.path) ? dirname(weights.path) : undefined;
  const preprocessing = (folder === undefined ? undefined : readHubPreprocessing(folder)) ?? {
    shortSide: run?.shortSide,
  };
  const plan = planLoad(classifierShapes(config), weights, options);
  const model = new ClassifierModel(config, modelOptions(options, run));
  const report = loadInto(model, weights, plan);
  const named = run?.classes ?? hub?.labels;
  const labels = config.classes > 0 && named?.length === config.classes ? named : undefined;
  return { model, report, preprocessing, labels, sampling: run?.sampling ?? {} };
}

/**
 * What weights say of the classifier, or feature extractor, that they make; nothing is loaded.
 * @param path  as for `openClassifier`
 * @param given  wins over what the file says
 */
export async function describeClassifier(
  path: string,
  given: Partial<ClassifierConfig> = {},
): Promise<ClassifierConfig> {
  using weights = await openWeights(path);
  return classifierOf(weights, given).config;
}

function classifierOf(weights: Weights, given: Partial<ClassifierConfig> = {}) {
  const run = runOf(weights);
  const hub = isHubFile(weights.path) ? readHubConfig(dirname(weights.path)) : undefined;
  const detected = detectLayout(weights);
  const said = run ? classifierOfRun(run.model) : { ...argumentsConfig(weights.args), ...hub?.classifier };
  checkAgreement(weights, detected.recognized, said);
  return { run, hub, config: inferClassifierConfig(weights, detected, { ...said, ...given }) };
}

/**
 * Opens weights as a pre-training model.
 * @param path  as for `openClassifier`
 * @throws VideomaeError when the file is damaged, has no decoder, or does not hold the whole model
 */
export async function openPretrain(path: string, options: OpenOptions<PretrainConfig> = {}): Promise<OpenedPretrain> {
  using weights = await openWeights(path, options);
  const run = runOf(weights);
  const hub = isHubFile(weights.path) ? readHubConfig(dirname(weights.path)) : undefined;
  const detected = detectLayout(weights);
  const said = run ? pretrainOfRun(weights, run.model) : { ...argumentsConfig(weights.args), ...hub?.pretrain() };
  checkAgreement(weights, detected.recognized, said);
  const config = inferPretrainConfig(weights, detected, { ...said, ...options.config });
  const plan = planLoad(parameterShapes(config), weights, options);
  const model = new PretrainModel(config, modelOptions(options, run));
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

/** What a file beside the weights, or the run's state, says must be what the shapes tell. */
function checkAgreement(weights: Weights, recognized: RecognizedWeights, said: Partial<PretrainConfig>): void {
  const { width, depth, patch, tubelet, decoder } = recognized;
  const told = { width, depth, patch, tubelet, decoderWidth: decoder?.width, decoderDepth: decoder?.depth };
  for (const [field, value] of Object.entries(told)) {
    const claimed = said[field as keyof typeof told];
    if (claimed === undefined || value === undefined || claimed === value) continue;
    throw new VideomaeError({
      op: weights.path,
      expected: `weights of a model with ${field} ${claimed}, as its description says`,
      got: `${field} ${value}`,
      hint: "the description (config.json, or the state of the run) belongs to other weights",
    });
  }
}

/** Initial values cost time, and only a model that is loaded in part keeps some. */
function modelOptions(
  { device, dtype, seed, position, partial = false }: OpenOptions<unknown>,
  run: RunDescription | undefined,
) {
  return { device, dtype, seed, position: position ?? run?.position, initialize: partial };
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

type RunModel = RunDescription["model"];

function classifierOfRun(model: RunModel): Partial<ClassifierConfig> {
  if (model.classes !== undefined) return model;
  return { ...encoderConfig(resolvePretrainConfig(model)), classes: 0, pooling: "mean", norm: "tokens" };
}

function pretrainOfRun(weights: Weights, model: RunModel): Partial<PretrainConfig> {
  if (model.classes === undefined) return model;
  throw new VideomaeError({ op: weights.path, expected: "a checkpoint of a pre-training run", got: "a classifier's" });
}
