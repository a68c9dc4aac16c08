// Supervised training of a classifier (VideoMAE V2, section 3.3; spec 4.5 to 4.9, 5, 6): the recipe behind
// `videomae finetune` and `videomae post-pretrain`, which differ in what they are for: the latter learns the merged classes
// of several data sets, and its weights are what the former begins with.
import type { StepInputs } from "../autograd/compile-step.js";
import {
  type ClassifierStageName,
  type FinetuneRunConfig,
  type FinetuneRunOptions,
  parseFinetuneConfig,
  planFinetuneSteps,
} from "../config/finetune-config.js";
import { classifierRecipes } from "../config/finetune-recipes.js";
import { encoderOptions } from "../config/run-options.js";
import type { ClipBatch } from "../data/loader.js";
import { drawMix, type MixupOptions, softTargets } from "../data/mixup.js";
import { drawConfusion } from "../log/confusion-plot.js";
import { ClassifierModel } from "../models/classifier.js";
import { type ClassifierConfig, resolveClassifierConfig } from "../models/classifier-config.js";
import { mixClips } from "../ops/mix-clips.js";
import { softCrossEntropy } from "../ops/soft-cross-entropy.js";
import { parameterGroups } from "../optim/adamw.js";
import { undecayed } from "../optim/parameter-groups.js";
import { scope } from "../tensor/scope.js";
import { keep, Tensor } from "../tensor/tensor.js";
import { initializeClassifier } from "../weights/initialize-classifier.js";
import { computeOf, openCompute } from "./compute.js";
import { type FinetunePlan, planFinetuning } from "./finetune-plan.js";
import type { Objective } from "./objective.js";
import type { Stage } from "./run-state.js";
import type { RunControl, RunRecipe, RunSummary, Validation } from "./training-run.js";
import { type ClassifierValidation, validateClassifier } from "./validate-classifier.js";
import { writeValidationReport } from "./validation-report.js";

/** What a script can watch and stop of `finetune` and `postPretrain`. */
export type FinetuneControl = RunControl<ClassifierModel>;

/** What became of a training of a classifier. */
export interface FinetuneSummary extends RunSummary {
  /** Names by class number. */
  readonly classes: readonly string[];
  /** What was measured last, when there is something to measure on. */
  readonly validation: ClassifierValidation | undefined;
}

/** How checkpoints of a stage that trains a classifier are read. */
export function classifierStage(name: ClassifierStageName): Stage<FinetuneRunConfig, ClassifierConfig> {
  return {
    name,
    parse: (options, op) => parseFinetuneConfig(options, name, op),
    describe: (model) => resolveClassifierConfig(model),
    neutral: neutralOptions,
  };
}

/** Options that no number of such a stage depends on, or that are compared as the model's description. */
export const neutralOptions = (): string[] => [
  ...Object.keys(encoderOptions()),
  ...["pooling", "dropPath", "headDropout", "headInitScale"],
  ...["weights", "labelMap", "classes", "validation", "validateEpochs", "shortSide"],
];

/**
 * Fine-tunes a classifier and leaves checkpoints, a log and the report of the validation in `options.out`.
 * @throws VideomaeError for bad options, data or weights, when updates are skipped too often in a row, and when
 *   checkpoints cannot be saved
 */
export async function finetune(options: FinetuneRunOptions, control: FinetuneControl = {}): Promise<FinetuneSummary> {
  return trainOnLabels("finetune", options, control);
}

/** As `finetune`, on the merged classes of several data sets, before it is fine-tuned on one of them. */
export async function postPretrain(
  options: FinetuneRunOptions,
  control: FinetuneControl = {},
): Promise<FinetuneSummary> {
  return trainOnLabels("post-pretrain", options, control);
}

async function trainOnLabels(
  stage: ClassifierStageName,
  options: FinetuneRunOptions,
  control: FinetuneControl,
): Promise<FinetuneSummary> {
  const config = parseFinetuneConfig(options, stage);
  openCompute(config);
  const plan = await planFinetuning(config);
  const training = {
    ...{ stage: classifierStage(stage), book: classifierRecipes[stage], config },
    plan: (stepsPerEpoch: number) => planFinetuneSteps(config, stepsPerEpoch),
    objective: finetuneObjective(plan),
    inputsOf: (batch: ClipBatch) => inputsOf(plan, batch),
  };
  return trainClassifier(plan, training, control);
}

/** What a classifier is trained for; the rest is in its plan. */
export type ClassifierTraining<C extends FinetuneRunConfig, I extends StepInputs> = Pick<
  RunRecipe<C, ClassifierModel, I>,
  "stage" | "book" | "config" | "plan" | "objective" | "inputsOf"
>;

/** Trains the classifier of a plan, measures it, and disposes of it. */
export async function trainClassifier<C extends FinetuneRunConfig, I extends StepInputs>(
  plan: FinetunePlan,
  training: ClassifierTraining<C, I>,
  control: FinetuneControl,
): Promise<FinetuneSummary> {
  const { config } = training;
  using model = training.objective.model;
  const { classes, named } = plan.data;
  const validation = plan.validation && validationOf(plan, model);
  const { runTraining } = await import("./training-run.js");
  const summary = await runTraining(
    {
      ...{ ...training, classes, validation },
      ...{ dataset: plan.dataset, notes: plan.notes },
      pictures: async () => {
        const measured = validation?.last();
        return measured ? [{ name: "confusion", ...(await drawConfusion(measured.accuracy.rows(), classes)) }] : [];
      },
      initialize: async () => {
        if (config.weights === "") return ["random weights: give --weights to begin with pre-trained ones"];
        const names = named ? classes : undefined;
        return firstWeights(model, config.weights, { classes: names, labelMap: plan.labelMap }, classes, config.lr);
      },
    },
    control,
  );
  const last = validation?.last();
  if (last && summary.validated !== undefined)
    await writeValidationReport(config.out, summary.validated, last, classes);
  return { ...summary, classes, validation: last };
}

/** Clips f32 (B, 3, T, S, S) and distributions f32 (B, K); of mixed clips also what is mixed with what: see `mixClips`. */
interface FinetuneInputs extends Record<string, Tensor> {
  readonly video: Tensor;
  readonly target: Tensor;
}

/** The classification loss of a model with fresh weights. The caller disposes of the model. */
export function finetuneObjective(
  plan: Pick<FinetunePlan, "config" | "model">,
): Objective<ClassifierModel, FinetuneInputs> {
  const { blankClips, ...trained } = trainedClassifier(plan);
  return {
    ...trained,
    loss: ({ target, ...clips }) => scope(() => keep(softCrossEntropy(trained.model.forward(mixed(clips)), target))),
    blankInputs: () => {
      const clips = blankClips();
      return { ...clips, target: Tensor.zeros([clips.video.shape[0], plan.model.classes]) };
    },
  };
}

/** Clips, and of mixed ones what is mixed with what: see `mixClips`. */
export interface ClipInputs extends Record<string, Tensor> {
  readonly video: Tensor;
}

/** What is trained, whatever for: a model with fresh weights, and blank clips of its batches. */
export function trainedClassifier({ config, model: description }: Pick<FinetunePlan, "config" | "model">) {
  const { seed, recompute, position, layerDecay: decay, emaDecay, batchSize, views } = config;
  const model = new ClassifierModel(description, { ...computeOf(config), seed, recompute, position });
  const { depth, frames, image } = description;
  const clips = batchSize * views;
  return {
    model,
    groups: parameterGroups(model, {
      skip: undecayed.finetune,
      layers: decay < 1 ? { depth, decay } : undefined,
    }),
    emaDecay,
    blankClips: (): ClipInputs => ({
      video: Tensor.zeros([clips, 3, frames, image, image]),
      ...(mixingOf(config) && { lambda: Tensor.zeros([clips]), box: Tensor.zeros([clips, 4], "i32") }),
    }),
  };
}

/** What the model sees of clips: mixed ones, or the clips themselves. */
export function mixed({ video, lambda, box }: ClipInputs): Tensor {
  return lambda === undefined ? video : mixClips(video, lambda, box);
}

/** How clips are mixed; undefined where they are not. */
export function mixingOf(config: FinetuneRunConfig): MixupOptions | undefined {
  const { mixup, cutmix, mixProbability: probability, cutmixShare: switchProbability, mixMode: mode } = config;
  if ((mixup === 0 && cutmix === 0) || probability === 0) return undefined;
  return { mixup, cutmix, probability, switchProbability, mode };
}

function inputsOf(plan: FinetunePlan, batch: ClipBatch): FinetuneInputs {
  const { classes } = plan.model;
  const { inputs, share } = clipInputs(plan, batch);
  const target = softTargets(batch.labels, { classes, smoothing: plan.config.smoothing, share });
  return { ...inputs, target: Tensor.fromArray(target, [batch.labels.length, classes]) };
}

/** The clips of a batch with what is mixed with what, and the parts that clips have in their labels. */
export function clipInputs(
  { config, model }: Pick<FinetunePlan, "config" | "model">,
  batch: ClipBatch,
): { inputs: ClipInputs; share: Float64Array | undefined } {
  const clips = batch.labels.length;
  const mixing = mixingOf(config);
  if (mixing === undefined) return { inputs: { video: batch.video }, share: undefined };
  const mix = drawMix(mixing, { clips, size: model.image }, { seed: config.seed, step: batch.step });
  const [lambda, box] = [Tensor.fromArray(mix.lambda, [clips]), Tensor.fromArray(mix.box, [clips, 4])];
  return { inputs: { video: batch.video, lambda, box }, share: mix.share };
}

/** A base learning rate that leaves a trained classifier what it knows; the published one is 1e-5. */
const MOST_RATE_AFTER_TRAINING = 1e-4;

/** Loads what a run begins with, and says what became of it. */
async function firstWeights(
  model: ClassifierModel,
  weights: string,
  rows: { classes: readonly string[] | undefined; labelMap: readonly number[] | undefined },
  classes: readonly string[],
  lr: number,
): Promise<string[]> {
  const { report, head } = await initializeClassifier(model, weights, rows);
  const fresh = head.fresh.map((i) => `"${classes[i]}"`);
  const shown = fresh.slice(0, 5).join(", ") + (fresh.length > 5 ? ` and ${fresh.length - 5} more` : "");
  const how = {
    kept: "the head is that of the weights",
    mapped: `rows of the head found by class${fresh.length > 0 ? `; new: ${shown}` : ""}`,
    new: "a new head",
  }[head.kind];
  const notes = [`${report.path}: ${report.loaded.length} parameters loaded, ${how}`, ...report.warnings];
  if (head.kind === "new" || lr <= MOST_RATE_AFTER_TRAINING) return notes;
  return [
    ...notes,
    `these weights are a trained classifier's, and --lr ${lr} is one for pre-trained weights: published runs that go on from a classifier have 1e-5`,
  ];
}

function validationOf({ config, validation }: FinetunePlan, model: ClassifierModel) {
  const { workers, decoder, decodeTimeout, maxBadFraction, batchSize, views, validateEpochs } = config;
  // As many clips at once as in training, which have no gradients now.
  const reading = { batchSize: batchSize * views, workers, decoder, decodeTimeout, maxBadFraction };
  let last: ClassifierValidation | undefined;
  return {
    epochs: validateEpochs,
    last: () => last,
    measure: async (signal) => {
      const measured = await validateClassifier(model, validation!, reading, signal);
      if (measured === undefined) return undefined;
      last = measured;
      const { accuracy, loss, failed } = measured;
      const { clips, top1, top5, classMean } = accuracy;
      return { error: 1 - top1, fields: { loss, top1, top5, classMean, clips, failed } };
    },
  } satisfies Validation & { last(): ClassifierValidation | undefined };
}
