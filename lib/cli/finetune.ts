// `videomae finetune <data>` and `videomae post-pretrain <data>`: train a classifier with a progress bar, and leave
// checkpoints, a log, a loss plot and, where there is something to measure on, accuracies and a confusion matrix.
import type { Command } from "commander";
import { type ClassifierStageName, parseFinetuneConfig } from "../config/finetune-config.js";
import { classifierRecipes } from "../config/finetune-recipes.js";
import { finetune, finetuneObjective, postPretrain } from "../train/finetune.js";
import { planFinetuning } from "../train/finetune-plan.js";
import { forecastRun } from "../train/memory-forecast.js";
import { trainAndShow } from "./training-command.js";
import { givenOptions, trainingOptions } from "./training-options.js";

const examples: Record<ClassifierStageName, readonly string[]> = {
  finetune: [
    "videomae finetune train.csv --classes classes.txt --validation val.csv --weights runs/pretrain --out runs/ft",
    "videomae finetune k400/train.csv --recipe vit-b-k400 --weights runs/pretrain --batch-size 8 --accumulate 64",
    "videomae accuracy val.csv --weights runs/ft --views 5x3",
  ],
  "post-pretrain": [
    "videomae merge-lists kinetics.yaml --out k710",
    "videomae post-pretrain k710/train.csv --classes k710/classes.txt --weights runs/pretrain --out runs/post",
    "videomae finetune k400/train.csv --classes k400.txt --weights runs/post --out runs/k400",
  ],
};

export function finetuneCommand(): Command {
  return classifierCommand("finetune");
}

export function postPretrainCommand(): Command {
  return classifierCommand("post-pretrain");
}

function classifierCommand(stage: ClassifierStageName): Command {
  const book = classifierRecipes[stage];
  const help = { data: "labelled list, or folder with a sub-folder for each class", examples: examples[stage] };
  return trainingOptions(book, help).action(async (data: string[], _options: object, command: Command) => {
    const config = parseFinetuneConfig(givenOptions(command, data, book), stage);
    const { model } = await planFinetuning(config);
    const forecast = forecastRun(config, (config) => finetuneObjective({ config, model }));
    const train = { finetune, "post-pretrain": postPretrain }[stage];
    await trainAndShow({
      ...{ book, config, forecast, title: stage === "finetune" ? "Fine-tuning loss" : "Post-pre-training loss" },
      train: (control) => train(config, control),
    });
  });
}
