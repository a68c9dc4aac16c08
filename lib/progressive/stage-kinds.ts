// The kinds of stages that a recipe can name: for each its options, its named recipes, and what runs it. Another kind is
// another line.

import { distillRecipes } from "../config/distill-recipes.js";
import { classifierRecipes } from "../config/finetune-recipes.js";
import { probeRecipes } from "../config/probe-config.js";
import type { RecipeBook } from "../config/recipe-book.js";
import { pretrainRecipes } from "../config/recipes.js";
import type { StageOptions } from "../config/stage-options.js";
import { distill } from "../train/distill.js";
import { finetune, postPretrain } from "../train/finetune.js";
import { pretrain } from "../train/pretrain.js";
import { probe } from "../train/probe.js";
import type { RunControl, RunSummary } from "../train/training-run.js";
import { accuracyOptions, measureAccuracy } from "./accuracy-stage.js";

type Options = Readonly<Record<string, unknown>>;

/** What is told of a stage while it runs. */
export type StageControl = RunControl<{ readonly config: object }>;

/** What a stage has come to: done when all its steps are. */
export type StageResult = Pick<RunSummary, "steps" | "done" | "checkpoint">;

/** How stages of one kind are checked and run. */
export interface StageKind {
  /** As commands call it. */
  readonly name: string;
  readonly options: Pick<StageOptions<never>, "describe" | "mistakeInPart">;
  /** Named recipes, which `extends` begins with. */
  readonly recipes: Readonly<Record<string, { readonly options: Options }>>;
  /** The option that takes the checkpoint of an earlier stage; none where the kind begins with fresh weights. */
  readonly handOver: string | undefined;
  /** Whether it leaves checkpoints that a later stage can begin with. */
  readonly trains: boolean;
  /** Runs it, or goes on with it; `options.out` is its folder. */
  run(options: Options, control: StageControl): Promise<StageResult>;
}

/** A training; its options are checked by `run`, whatever their static type. */
function training<O extends object>(
  book: RecipeBook<O>,
  run: (options: never, control: StageControl) => Promise<RunSummary>,
  handOver?: string,
): StageKind {
  return {
    name: book.options.stage,
    options: book.options,
    recipes: book.recipes as StageKind["recipes"],
    handOver,
    trains: true,
    run: (options, control) => run(options as never, control),
  };
}

export const stageKinds = {
  pretrain: training(pretrainRecipes, pretrain),
  "post-pretrain": training(classifierRecipes["post-pretrain"], postPretrain, "weights"),
  finetune: training(classifierRecipes.finetune, finetune, "weights"),
  distill: training(distillRecipes, distill, "teacher"),
  probe: training(probeRecipes, probe, "weights"),
  accuracy: {
    ...{ name: "accuracy", options: accuracyOptions, handOver: "weights", trains: false },
    recipes: {},
    run: measureAccuracy,
  },
} as const satisfies Readonly<Record<string, StageKind>>;
