// Recipes that have a name: the pre-training runs of the published scripts (spec 7.1), as options of this package.
//
// The scripts divide a batch among 32 to 64 GPUs. Here the GPUs' share is `accumulate`: 32 videos at a time, added up as
// often as there were GPUs, so an update sees the same number of videos, and the learning rate is scaled alike. Another
// division with the same product gives the same recipe: halve batchSize, double accumulate.

import { nearest, VideomaeError } from "../errors.js";
import { shortened } from "./explain-issue.js";
import type { PretrainRunOptions } from "./pretrain-config.js";

/** Options of a run, any of them. */
export type RecipeOptions = Partial<PretrainRunOptions>;

/** A named set of options. */
export interface PretrainRecipe {
  readonly name: string;
  readonly description: string;
  readonly options: RecipeOptions;
}

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

/**
 * The recipe of a name.
 * @throws VideomaeError that names the nearest one
 */
export function recipe(name: string): PretrainRecipe {
  if (Object.hasOwn(recipes, name)) return recipes[name as RecipeName];
  const names = Object.keys(recipes);
  const near = nearest(name, names);
  throw new VideomaeError({
    op: "recipe",
    expected: `one of ${names.join(", ")}, or a file ending in .yaml`,
    got: `"${shortened(name)}"`,
    hint: near && `did you mean "${near}"?`,
  });
}
