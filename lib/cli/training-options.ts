// The options of a command that trains: one for each line of the stage's schema, and --recipe. What is not given on the
// command line comes from the recipe, and what that does not name from the defaults.

import { Command, Option } from "commander";
import type { RecipeBook } from "../config/recipe-book.js";
import { type OptionDescription, overrideOptions } from "../config/stage-options.js";
import { flagOf, parseNumber, parseNumbers } from "./values.js";

/** What a command's help says beside its options. */
export interface TrainingHelp {
  /** What `[data...]` is. */
  readonly data: string;
  readonly examples: readonly string[];
}

/** A stage's command with its arguments and options, without an action. */
export function trainingOptions<O extends object>({ options }: RecipeBook<O>, help: TrainingHelp): Command {
  const command = new Command(options.stage)
    .argument("[data...]", `${help.data}; may be named in the recipe instead`)
    .option("--recipe <name or file>", "a named recipe (videomae recipes lists them), or a YAML file")
    .addHelpText("after", `${AFTER_HELP}\n${help.examples.map((example) => `  ${example}`).join("\n")}`);
  for (const described of options.describe()) {
    if (described.name !== "data" && described.kind !== "object") addOptions(command, described);
  }
  return command;
}

const AFTER_HELP = `
Options on the command line count before those of the recipe, and these before the defaults.
The run's options are printed at its start and written to recipe.yaml in its folder.

Examples:`;

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
 * The options that a run was given: those of the command line over those of the recipe. What they are is for the stage's
 * schema to check.
 * @throws VideomaeError for a mistake in the recipe
 */
export function givenOptions<O extends object>(
  command: Command,
  paths: readonly string[],
  book: RecipeBook<O>,
): O & { readonly data?: string | readonly string[] } {
  const { recipe, ...values } = command.opts<{ recipe?: string }>();
  const given = Object.entries(values).filter(([name]) => command.getOptionValueSource(name) === "cli");
  const base = recipe === undefined ? ({} as O) : book.load(recipe);
  const data = paths.length > 1 ? paths : paths[0];
  return overrideOptions(base, { ...Object.fromEntries(given), data });
}
