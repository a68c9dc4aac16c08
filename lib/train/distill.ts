// Distillation (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent"; spec 9.2): a student
// learns to agree with a teacher on clips that both see alike, augmented and mixed, instead of learning labels. The recipe
// behind `videomae distill`.
import { noGrad } from "../autograd/grad-mode.js";
import {
  type DistillRunConfig,
  type DistillRunOptions,
  parseDistillConfig,
  planDistillSteps,
} from "../config/distill-config.js";
import { distillRecipes } from "../config/distill-recipes.js";
import type { ClipBatch } from "../data/loader.js";
import { VideomaeError } from "../errors.js";
import type { ClassifierModel } from "../models/classifier.js";
import { type ClassifierConfig, resolveClassifierConfig } from "../models/classifier-config.js";
import { distillationLoss } from "../ops/soft-cross-entropy.js";
import { scope } from "../tensor/scope.js";
import { keep, Tensor } from "../tensor/tensor.js";
import { openClassifier } from "../weights/open-model.js";
import { type Compute, computeOf, openCompute } from "./compute.js";
import {
  type ClipInputs,
  clipInputs,
  type FinetuneControl,
  type FinetuneSummary,
  mixed,
  mixingOf,
  neutralOptions,
  trainClassifier,
  trainedClassifier,
} from "./finetune.js";
import { type FinetunePlan, planFinetuning } from "./finetune-plan.js";
import type { Objective } from "./objective.js";
import type { Stage } from "./run-state.js";
import { TeacherScores } from "./teacher-scores.js";

/** How checkpoints of distillation are read. */
export const distillStage: Stage<DistillRunConfig, ClassifierConfig> = {
  name: "distill",
  parse: parseDistillConfig,
  describe: (model) => resolveClassifierConfig(model),
  neutral: () => [...neutralOptions(), "teacherScores", "smoothing"],
};

/**
 * Trains a student and leaves checkpoints, a log and the report of the validation in `options.out`.
 * @throws VideomaeError for a teacher of other classes or clips than the student's, and what `finetune` throws
 */
export async function distill(options: DistillRunOptions, control: FinetuneControl = {}): Promise<FinetuneSummary> {
  const config = parseDistillConfig(options);
  openCompute(config);
  const plan = await planFinetuning(config);
  using teacher = await openTeacher(config, plan);
  const kept = config.teacherScores === "" ? undefined : scoresOf(config, plan, teacher);
  const training = {
    ...{ stage: distillStage, book: distillRecipes, config },
    plan: (stepsPerEpoch: number) => planDistillSteps(config, stepsPerEpoch),
    objective: distillObjective({ config, model: plan.model }, teacher),
    inputsOf: (batch: ClipBatch) => {
      const { inputs } = clipInputs(plan, batch);
      return kept === undefined ? inputs : { ...inputs, scores: kept.of(batch, mixed, inputs) };
    },
  };
  return await trainClassifier(plan, training, control);
}

/** The disagreement of a student with fresh weights with a teacher. The caller disposes of the student. */
export function distillObjective(
  plan: { readonly config: DistillRunConfig; readonly model: ClassifierConfig },
  teacher: ClassifierModel,
): Objective<ClassifierModel, ClipInputs> {
  const { blankClips, ...trained } = trainedClassifier(plan);
  const { temperature, temperatureScaled: scaled, teacherScores } = plan.config;
  return {
    ...trained,
    loss: ({ scores, ...inputs }) =>
      scope(() => {
        const clips = mixed(inputs);
        const opinion = scores ?? noGrad(() => teacher.forward(clips)); // (B, K)
        return keep(distillationLoss(trained.model.forward(clips), opinion, { temperature, scaled }));
      }),
    blankInputs: () => {
      const clips = blankClips();
      const shape = [clips.video.shape[0], plan.model.classes];
      return { ...clips, ...(teacherScores !== "" && { scores: Tensor.zeros(shape) }) };
    },
  };
}

/** What the teacher computes on, and in what. */
export function teacherCompute(config: DistillRunConfig): Compute {
  const { device, dtype } = computeOf(config);
  return { device, dtype: config.teacherDtype === "auto" ? dtype : config.teacherDtype };
}

/** The teacher, in evaluation mode. The caller disposes of it. */
async function openTeacher(config: DistillRunConfig, plan: FinetunePlan): Promise<ClassifierModel> {
  const { model, labels } = await openClassifier(config.teacher, teacherCompute(config));
  try {
    refuseOtherClips(config.teacher, model.config, plan.model);
    refuseOtherClasses(config.teacher, model.config.classes, labels, plan.data);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** @throws VideomaeError when the teacher takes clips of another size than the student */
export function refuseOtherClips(op: string, teacher: ClassifierConfig, student: ClassifierConfig): void {
  const clips = ({ frames, image }: ClassifierConfig) => `clips of ${frames} x ${image} x ${image}`;
  if (clips(teacher) === clips(student)) return;
  const hint = "both see the same clips: give the student --frames and --image of the teacher";
  throw new VideomaeError({ op, expected: `a teacher of ${clips(student)}`, got: `one of ${clips(teacher)}`, hint });
}

/** Scores are compared number by number, so classes are to be the same in the same order. */
function refuseOtherClasses(
  op: string,
  count: number,
  labels: readonly string[] | undefined,
  { classes, named }: FinetunePlan["data"],
): void {
  const names = named ? labels : undefined;
  const other = names === undefined ? -1 : classes.findIndex((name, i) => names[i] !== name);
  if (count === classes.length && other < 0) return;
  const lacking = names === undefined ? [] : classes.filter((name) => !names.includes(name));
  const beyond = names === undefined ? [] : names.filter((name) => !classes.includes(name));
  const list = (names: readonly string[]) =>
    names
      .slice(0, 5)
      .map((name) => `"${name}"`)
      .join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
  const differences = [
    ...(lacking.length > 0 ? [`without ${list(lacking)}`] : []),
    ...(beyond.length > 0 ? [`with ${list(beyond)}`] : []),
    ...(names !== undefined && lacking.length + beyond.length === 0
      ? [`in another order: class ${other} is "${names[other]}", that of the data "${classes[other]}"`]
      : []),
  ];
  throw new VideomaeError({
    op,
    expected: `a teacher of the ${classes.length} classes of the data`,
    got: [`one of ${count} classes`, ...differences].join(", "),
    hint: "name the classes in the teacher's order (--classes), or fine-tune the teacher on this data first",
  });
}

/** What is kept of the teacher's scores; they depend on all that clips depend on. */
function scoresOf(config: DistillRunConfig, plan: FinetunePlan, teacher: ClassifierModel): TeacherScores {
  const { seed, batchSize } = config;
  const identity = { seed, batchSize, mixing: mixingOf(config), ...teacherCompute(config) };
  return new TeacherScores({ folder: config.teacherScores, teacher, dataset: plan.dataset, identity });
}
