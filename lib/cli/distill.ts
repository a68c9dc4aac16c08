// `videomae distill <data> --teacher <weights>`: trains a student with a progress bar, and leaves what fine-tuning leaves.
import type { Command } from "commander";
import { parseDistillConfig } from "../config/distill-config.js";
import { distillRecipes } from "../config/distill-recipes.js";
import { ClassifierModel } from "../models/classifier.js";
import { distill, distillObjective, refuseOtherClips, teacherCompute } from "../train/distill.js";
import { planFinetuning } from "../train/finetune-plan.js";
import { forecastRun } from "../train/memory-forecast.js";
import { classifierConfigOf } from "../weights/open-model.js";
import { trainAndShow } from "./training-command.js";
import { givenOptions, trainingOptions } from "./training-options.js";

export function distillCommand(): Command {
  const help = {
    data: "labelled list, or folder with a sub-folder for each class",
    examples: [
      "videomae distill train.csv --classes classes.txt --teacher runs/giant --model vit-base --weights runs/post --out runs/small",
      "videomae distill k710/train.csv --recipe vit-b-from-g-k710 --teacher g-k710.pth --teacher-dtype bf16",
    ],
  };
  return trainingOptions(distillRecipes, help).action(async (data: string[], _options: object, command: Command) => {
    const config = parseDistillConfig(givenOptions(command, data, distillRecipes));
    const [{ model }, teacher] = [await planFinetuning(config), await classifierConfigOf(config.teacher)];
    refuseOtherClips(config.teacher, teacher, model); // before their step is rehearsed
    let counted: ClassifierModel | undefined; // not loaded
    const forecast = forecastRun(config, (config) => {
      counted = new ClassifierModel(teacher, { dtype: teacherCompute(config).dtype, initialize: false }).train(false);
      return distillObjective({ config, model }, counted);
    });
    counted?.dispose();
    await trainAndShow({
      ...{ book: distillRecipes, config, forecast, title: "Distillation loss" },
      train: (control) => distill(config, control),
    });
  });
}
