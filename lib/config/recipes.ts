// Recipes that have a name: the pre-training runs of the published scripts (spec 7.1), as options of this package.
//
// The scripts divide a batch among 32 to 64 GPUs. Here the GPUs' share is `accumulate`: 32 videos at a time, added up as
// often as there were GPUs, so an update sees the same number of videos, and the learning rate is scaled alike. Another
// division with the same product gives the same recipe: halve batchSize, double accumulate.

import { type PretrainRunOptions, pretrainOptions } from "./pretrain-config.js";
import { type NamedRecipe, RecipeBook, type RecipeFormat } from "./recipe-book.js";

/** Options of a run, any of them. */
export type RecipeOptions = Partial<PretrainRunOptions>;

/** A named set of options. */
export type PretrainRecipe = NamedRecipe<RecipeOptions>;

/** What all published scripts share. */
const shared = {
  frames: 16,
  stride: 4,
  views: 4,
  mask: "tube",
  maskRatio: 0.9,
  decoderMask: "running-cell",
  decoderMaskRatio: 0.5,
  decoderDepth: 4,
  dropPath: 0,
  normalizeTarget: true,
  batchSize: 32,
  minLr: 1e-5,
  warmupLr: 0,
  weightDecay: 0.05,
  betas: [0.9, 0.95] as [number, number],
  eps: 1e-8,
  seed: 0,
} satisfies RecipeOptions;

/** The recipes by name. */
export const recipes = {
  "vit-b-hybrid-800e": {
    name: "vit-b-hybrid-800e",
    description: "ViT-B on UnlabeledHybrid: 1024 videos x 4 views an update (32 GPUs), 200 epochs x 4 views",
    options: {
      ...{ model: "vit-base", ...shared, accumulate: 32, epochs: 200, warmupEpochs: 20 },
      ...{ lr: 1e-3, recompute: false, saveEpochs: 20 },
    },
  },
  "vit-l-hybrid-1200e": {
    name: "vit-l-hybrid-1200e",
    description: "ViT-L on UnlabeledHybrid: 1536 videos x 4 views an update (48 GPUs), 300 epochs x 4 views",
    options: {
      ...{ model: "vit-large", ...shared, accumulate: 48, epochs: 300, warmupEpochs: 30 },
      ...{ lr: 1e-3, recompute: false, saveEpochs: 20 },
    },
  },
  "vit-h-hybrid-1200e": {
    name: "vit-h-hybrid-1200e",
    description: "ViT-H on UnlabeledHybrid: 2048 videos x 4 views an update (64 GPUs), 300 epochs x 4 views",
    options: {
      ...{ model: "vit-huge", ...shared, accumulate: 64, epochs: 300, warmupEpochs: 30 },
      ...{ lr: 1e-3, recompute: true, saveEpochs: 10 },
    },
  },
  "vit-g-hybrid-1200e": {
    name: "vit-g-hybrid-1200e",
    description: "ViT-g on UnlabeledHybrid: 2048 videos x 4 views an update (64 GPUs), 300 epochs x 4 views",
    options: {
      ...{ model: "vit-giant", ...shared, accumulate: 64, epochs: 300, warmupEpochs: 30 },
      ...{ lr: 6e-4, clipNorm: 0.02, recompute: true, saveEpochs: 5 },
    },
  },
} as const satisfies Record<string, PretrainRecipe>;

/** The name of a recipe. */
export type RecipeName = keyof typeof recipes;

/** Named recipes and YAML files of pre-training. */
export const pretrainRecipes = new RecipeBook<RecipeOptions>(pretrainOptions, recipes);

/**
 * The recipe of a name.
 * @throws VideomaeError that names the nearest one
 */
export function recipe(name: string): PretrainRecipe {
  return pretrainRecipes.recipe(name);
}

/**
 * The options of a recipe: a named one, or a YAML file.
 * @throws VideomaeError for a name that is none and no file, and for mistakes in the file, with line and column
 */
export function loadRecipe(nameOrPath: string): RecipeOptions {
  return pretrainRecipes.load(nameOrPath);
}

/**
 * The options in a YAML text, those of the recipe it extends included.
 * @param where  what messages call the text, e.g. its path
 * @throws VideomaeError whose `op` is `where:line:column` and the key
 */
export function parseRecipe(text: string, where: string): RecipeOptions {
  return pretrainRecipes.parse(text, where);
}

/** Options as YAML, in the order of the schema. */
export function formatRecipe(options: RecipeOptions, format?: RecipeFormat): string {
  return pretrainRecipes.format(options, format);
}
