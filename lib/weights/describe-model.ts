// What a file of weights is a model of, before any memory is taken for one: its description, and where each of its
// parameters lies. What the shapes do not tell comes from what lies beside them: the state of a run, a description in the
// file's header, config.json, or the arguments of the training.

import { dirname } from "node:path";
import { VideomaeError } from "../errors.js";
import type { OpenWeightsOptions, Weights } from "../io/weights.js";
import { lazy } from "../lazy.js";
import { type ClassifierConfig, classifierShapes, encoderConfig } from "../models/classifier-config.js";
import type { RecognizedWeights } from "../models/recognize-weights.js";
import { type PretrainConfig, parameterShapes, resolvePretrainConfig } from "../models/sizes.js";
import type { PositionMode } from "../nn/position-table.js";
import { z } from "../zod.js";
import { detectLayout } from "./detect-layout.js";
import { type HubConfig, type HubPreprocessing, isHubFile, readHubConfig, readHubPreprocessing } from "./hub-config.js";
import { inferClassifierConfig, inferPretrainConfig } from "./infer-config.js";
import { type LoadOptions, type LoadPlan, planLoad } from "./load-weights.js";
import { type RunSampling, runOf } from "./run-description.js";
import { argumentsConfig } from "./training-arguments.js";

/** How a model is described; fields of `config` win over what the file says. */
export interface DescribeOptions<Config> extends LoadOptions, OpenWeightsOptions {
  readonly config?: Partial<Config>;
}

/** A model in a file. */
export interface DescribedModel<Config> {
  readonly config: Config;
  /** Where its parameters lie. */
  readonly plan: LoadPlan;
  /** Where its positional table comes from, where the file says so. */
  readonly position?: PositionMode;
  /** Names of the classes, by number, where the weights come with some. */
  readonly labels?: readonly string[];
  readonly preprocessing: HubPreprocessing;
  /** How the run sampled that the weights are of. */
  readonly sampling: RunSampling;
}

/** The key of a safetensors header under which a file that is not a run's says what its shapes do not tell. */
const HEADER_KEY = "videomae.model";

/**
 * The classifier, or feature extractor, that weights make.
 * @throws VideomaeError when they are of no known kind, or do not hold the whole model
 */
export function describeClassifier(
  weights: Weights,
  options: DescribeOptions<ClassifierConfig> = {},
): DescribedModel<ClassifierConfig> {
  const said = saidOf(weights);
  const hub = hubOf(weights);
  const detected = detectLayout(weights);
  const told = said ? classifierSaid(said.model) : { ...argumentsConfig(weights.args), ...hub?.config?.classifier };
  checkAgreement(weights, detected.recognized, told);
  const config = inferClassifierConfig(weights, detected, { ...told, ...options.config });
  const plan = planLoad(classifierShapes(config), weights, options);
  const names = said?.labels ?? hub?.config?.labels;
  const labels = config.classes > 0 && names?.length === config.classes ? names : undefined;
  const preprocessing = said?.preprocessing ?? hub?.preprocessing ?? {};
  return { config, plan, position: said?.position, labels, preprocessing, sampling: said?.sampling ?? {} };
}

/**
 * The pre-training model that weights make.
 * @throws VideomaeError when they have no decoder, are of no known kind, or do not hold the whole model
 */
export function describePretrain(
  weights: Weights,
  options: DescribeOptions<PretrainConfig> = {},
): DescribedModel<PretrainConfig> {
  const said = saidOf(weights);
  const hub = hubOf(weights);
  const detected = detectLayout(weights);
  const told = said
    ? pretrainSaid(weights, said.model)
    : { ...argumentsConfig(weights.args), ...hub?.config?.pretrain() };
  checkAgreement(weights, detected.recognized, told);
  const config = inferPretrainConfig(weights, detected, { ...told, ...options.config });
  const plan = planLoad(parameterShapes(config), weights, options);
  const preprocessing = said?.preprocessing ?? hub?.preprocessing ?? {};
  return { config, plan, position: said?.position, preprocessing, sampling: said?.sampling ?? {} };
}

/** What a header says of its model, to be read again by `describeClassifier` and `describePretrain`. */
export function headerDescription({
  config,
  position,
  labels,
  preprocessing,
}: Omit<DescribedModel<ClassifierConfig | PretrainConfig>, "plan" | "sampling">): Record<string, string> {
  return { [HEADER_KEY]: JSON.stringify({ model: config, position, labels, preprocessing }) };
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

/** What lies beside a file that is named as model hubs name weights. */
function hubOf(weights: Weights): { config?: HubConfig; preprocessing?: HubPreprocessing } | undefined {
  if (!isHubFile(weights.path)) return undefined;
  const folder = dirname(weights.path);
  return { config: readHubConfig(folder), preprocessing: readHubPreprocessing(folder) };
}

type SaidModel = Partial<PretrainConfig> & Partial<ClassifierConfig>;

interface Said {
  readonly model: SaidModel;
  readonly position?: PositionMode;
  readonly labels?: readonly string[];
  readonly preprocessing?: HubPreprocessing;
  readonly sampling?: RunSampling;
}

const triple = () => z.array(z.number()).length(3);
const saidSchema = lazy(() =>
  z.object({
    model: z.record(z.string(), z.unknown()),
    position: z.enum(["generate", "official", "interpolate"]).optional(),
    labels: z.array(z.string()).optional(),
    preprocessing: z
      .object({ mean: triple().optional(), std: triple().optional(), shortSide: z.int().min(1).optional() })
      .optional(),
  }),
);

/** What a checkpoint of a run, or a header, says of its model; undefined for other files. */
function saidOf(weights: Weights): Said | undefined {
  const run = runOf(weights);
  if (run) return { ...run, labels: run.classes, preprocessing: { shortSide: run.shortSide } };
  const text = weights.format.startsWith("safetensors") ? weights.metadata.get(HEADER_KEY) : undefined;
  if (typeof text !== "string") return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = text;
  }
  const result = saidSchema().safeParse(json);
  if (result.success) return result.data as Said;
  const [{ path, message }] = result.error.issues;
  const op = `${weights.path}: ${[HEADER_KEY, ...path].join(".")}`;
  throw new VideomaeError({ op, expected: "the description of a model", got: message });
}

function classifierSaid(model: SaidModel): Partial<ClassifierConfig> {
  if (model.classes !== undefined) return model;
  return { ...encoderConfig(resolvePretrainConfig(model)), classes: 0, pooling: "mean", norm: "tokens" };
}

function pretrainSaid(weights: Weights, model: SaidModel): Partial<PretrainConfig> {
  if (model.classes === undefined) return model;
  throw new VideomaeError({ op: weights.path, expected: "a checkpoint of a pre-training run", got: "a classifier's" });
}
