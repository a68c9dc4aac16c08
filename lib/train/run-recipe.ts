// The options of a run as recipe.yaml in its folder: all of them, defaults included, so the run can be started again
// elsewhere with `--recipe <folder>/recipe.yaml`. A resumed run says which of them it was started with otherwise; of those
// that numbers depend on, the checkpoint does so.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { PretrainRunConfig } from "../config/pretrain-config.js";
import { formatRecipe, parseRecipe } from "../config/recipe-file.js";
import type { RecipeOptions } from "../config/recipes.js";
import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "../io/atomic-file.js";

const HEADER = "Every option of this run. Start another like it with videomae pretrain --recipe and this file.";

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
  ...(["saveEvery", "saveEpochs", "keep", "logEvery"] as const),
];

/**
 * Writes `recipe.yaml` into the folder of the run.
 * @param resumed  whether the run goes on from a checkpoint
 * @returns what to tell the user: the options that a resumed run was started with otherwise
 * @throws VideomaeError when it cannot be written
 */
export function storeRecipe(config: PretrainRunConfig, resumed: boolean): string[] {
  const file = path.join(config.out, "recipe.yaml");
  const notes = resumed ? changesSince(file, config) : [];
  writeFileAtomic(file, (sink) => sink(new TextEncoder().encode(formatRecipe(config, { header: HEADER }))));
  return notes;
}

function changesSince(file: string, config: PretrainRunConfig): string[] {
  if (!existsSync(file)) return [];
  let before: RecipeOptions;
  try {
    before = parseRecipe(readFileSync(file, "utf8"), file);
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
