// The options of `videomae pretrain`: one for each line of the schema, and --recipe. What is not given on the command
// line comes from the recipe, and what that does not name from the defaults.

import { Command, Option } from "commander";
import {
  describePretrainOptions,
  type OptionDescription,
  overrideOptions,
  type PretrainRunConfig,
  parsePretrainConfig,
} from "../config/pretrain-config.js";
import { loadRecipe } from "../config/recipe-file.js";
import type { RecipeOptions } from "../config/recipes.js";
import { flagOf, parseNumber, parseNumbers } from "./values.js";

/** `pretrain` with its arguments and options, without an action. */
export function pretrainOptions(): Command {
  const command = new Command("pretrain")
    .argument("[data...]", "folder of clips, or a list file with one clip a line; may be named in the recipe instead")
    .option("--recipe <name or file>", "a named recipe (videomae recipes lists them), or a YAML file")
    .addHelpText("after", AFTER_HELP);
  for (const described of describePretrainOptions()) {
    if (described.name !== "data" && described.kind !== "object") addOptions(command, described);
  }
  return command;
}

const AFTER_HELP = `
Options on the command line count before those of the recipe, and these before the defaults.
The run's options are printed at its start and written to recipe.yaml in its folder.

Examples:
  videomae pretrain clips/ --model small --batch-size 8 --steps 10000 --out runs/small
  videomae pretrain train.csv --root /data --recipe vit-b-hybrid-800e --batch-size 16 --accumulate 64
  videomae pretrain --recipe runs/small/recipe.yaml --seed 1 --out runs/small-1`;

/** `maskRatio` is `--mask-ratio <value>`. A switch can be set both ways, as a recipe may have set it either way. */
function addOptions(command: Command, { name, description, kind, default: preset }: OptionDescription): void {
  const flag = flagOf(name);
  if (name === "resume") {
    command.option(`${flag} <checkpoint>`, "continue from this file (default: from the newest checkpoint in --out)");
    command.option("--no-resume", "start anew even when the folder holds a checkpoint");
  } else if (kind === "boolean") {
    const off = flag.replace("--", "--no-");
    command.addOption(new Option(flag, description).hideHelp(preset === true));
    command.addOption(new Option(off, `do not ${description}`).hideHelp(preset !== true));
  } else {
    const shown = preset === undefined || preset === "" ? "" : ` (default: ${preset})`;
    const option = new Option(`${flag} <value>`, `${description}${shown}`);
    if (kind === "number") option.argParser(parseNumber);
    if (kind === "numbers") option.argParser(parseNumbers);
    command.addOption(option);
  }
}

/**
 * The options of a run: those of the command line over those of the recipe over the defaults.
 * @throws VideomaeError for a mistake in any of them
 */
export function configOf(command: Command, paths: readonly string[]): PretrainRunConfig {
  const { recipe, ...values } = command.opts<{ recipe?: string } & RecipeOptions>();
  const given = Object.entries(values).filter(([name]) => command.getOptionValueSource(name) === "cli");
  const base = recipe === undefined ? {} : loadRecipe(recipe);
  // What the command line alone cannot be trusted to be is for the schema to check.
  const data = (paths.length > 1 ? paths : paths[0]) as RecipeOptions["data"];
  return parsePretrainConfig(overrideOptions(base, { ...Object.fromEntries(given), data }));
}
