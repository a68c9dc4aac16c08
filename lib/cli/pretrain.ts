// `videomae pretrain <data>`: trains with a progress bar, leaves checkpoints, a log and a loss plot.
import type { Command } from "commander";
import { parsePretrainConfig } from "../config/pretrain-config.js";
import { pretrainRecipes } from "../config/recipes.js";
import { forecastMemory } from "../train/memory-forecast.js";
import { pretrain } from "../train/pretrain.js";
import { trainAndShow } from "./training-command.js";
import { givenOptions, trainingOptions } from "./training-options.js";

export function pretrainCommand(): Command {
  const help = {
    data: "folder of clips, or a list file with one clip a line",
    examples: [
      "videomae pretrain clips/ --model small --batch-size 8 --steps 10000 --out runs/small",
      "videomae pretrain train.csv --root /data --recipe vit-b-hybrid-800e --batch-size 16 --accumulate 64",
      "videomae pretrain --recipe runs/small/recipe.yaml --seed 1 --out runs/small-1",
    ],
  };
  return trainingOptions(pretrainRecipes, help).action(async (data: string[], _options: object, command: Command) => {
    const config = parsePretrainConfig(givenOptions(command, data, pretrainRecipes));
    await trainAndShow({
      ...{ book: pretrainRecipes, config, forecast: forecastMemory(config), title: "Pre-training loss" },
      train: (control) => pretrain(config, control),
    });
  });
}
