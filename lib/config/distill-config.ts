// The options of distillation: those of fine-tuning, a teacher, and how its opinion is taken. Defaults are those of the paper
// where it has some (VideoMAE V2, section 4.3; spec 9.2).

import type * as zod from "zod";
import { z } from "../zod.js";
import { classifierAdvice, classifierShape } from "./finetune-config.js";
import { lengthOptions, type Pace, path, rateOptions, type StepPlan, stepPlan } from "./run-options.js";
import { StageOptions } from "./stage-options.js";

const pace: Pace = { lr: 1e-3, minLr: 1e-6, epochs: 100, warmupEpochs: 5 };

const shape = () => ({
  ...classifierShape("runs/distill"),
  teacher: path().describe("the classifier to agree with: the folder of a run, or a file of weights"),
  teacherDtype: z
    .enum(["auto", "f32", "bf16"])
    .default("auto")
    .describe("what the teacher computes in; auto: what the student does"),
  teacherScores: z
    .string()
    .default("")
    .describe("folder that the teacher's scores are kept in, for other students of it (default: they are not kept)"),
  temperature: z.number().positive().default(3).describe("divides both models' scores before the softmax"),
  temperatureScaled: z
    .boolean()
    .default(true)
    .describe("multiply the loss by the square of the temperature, so that gradients stay as large"),
  clipNorm: z.number().positive().default(1).describe("greatest norm of the gradient"),
  ...lengthOptions(pace),
  ...rateOptions(pace),
});

export const distillOptions = new StageOptions("distill", shape, classifierAdvice);

/**
 * The options of a run with every default filled in.
 * @interface
 */
export type DistillRunConfig = ReturnType<typeof distillOptions.parse>;

/**
 * The options as a user gives them: only `data` and `teacher` are required.
 * @interface
 */
export type DistillRunOptions = zod.input<zod.ZodObject<ReturnType<typeof shape>>>;

/**
 * Checks options and fills in defaults.
 * @param op  where the options come from, for messages
 * @throws VideomaeError that names the option, what was expected and, for a misspelt one, the nearest real one.
 */
export function parseDistillConfig(options: unknown, op?: string): DistillRunConfig {
  return distillOptions.parse(options, op);
}

/** Turns epochs into updates, for data that makes `stepsPerEpoch` updates an epoch; a fraction with accumulation. */
export function planDistillSteps(config: DistillRunConfig, stepsPerEpoch: number): StepPlan {
  return stepPlan(config, stepsPerEpoch, pace);
}
