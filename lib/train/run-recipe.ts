// The options of a run as recipe.yaml in its folder: all of them, defaults included, so the run can be started again
// elsewhere with `--recipe <folder>/recipe.yaml`. A resumed run says which of them it was started with otherwise; of those
// that numbers depend on, the checkpoint does so.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { RecipeBook } from "../config/recipe-book.js";
import type { RunConfig } from "../config/run-options.js";
import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "../io/atomic-file.js";

/** The options that change how a run goes, and none of its numbers. */
const HOW = [
  ...([
    "decoder",
    "decodeTimeout",
    "maxBadFraction",
    "maxSkips",
    "spikeRatio",
    "device",
    "dtype",
    "recompute",
    "workers",
    "threads",
  ] as const),
  ...(["saveEvery", "saveEpochs", "keep", "logEvery", "tensorboard"] as const),
];

/**
 * Writes `recipe.yaml` into the folder of the run.
 * @param book  of the run's stage
 * @param resumed  whether the run goes on from a checkpoint
 * @returns what to tell the user: the options that a resumed run was started with otherwise
 * @throws VideomaeError when it cannot be written
 */
export function storeRecipe<O extends object>(config: RunConfig & O, book: RecipeBook<O>, resumed: boolean): string[] {
  const file = path.join(config.out, "recipe.yaml");
  const notes = resumed ? changesSince(file, config, book) : [];
  const command = `videomae ${book.options.stage}`;
  const header = `Every option of this run. Start another like it with ${command} --recipe and this file.`;
  writeFileAtomic(file, (sink) => sink(new TextEncoder().encode(book.format(config, { header }))));
  return notes;
}

function changesSince<O extends object>(file: string, config: RunConfig, book: RecipeBook<O>): string[] {
  if (!existsSync(file)) return [];
  let before: Partial<RunConfig>;
  try {
    before = book.parse(readFileSync(file, "utf8"), file);
  } catch (error) {
    if (!(error instanceof VideomaeError)) throw error;
    return [`the options before cannot be read: ${error.message}`];
  }
  const changes = HOW.flatMap((name) => {
    const [was, is] = [before[name], config[name]].map((value) => JSON.stringify(value) ?? "unset");
    return was === is ? [] : [`${name} ${was} -> ${is}`];
  });
  return changes.length > 0 ? [`options changed since ${file} was written: ${changes.join(", ")}`] : [];
}
