// Distillation's recipes: a post-pre-trained ViT-B learns from ViT-g, as the paper describes it (spec 9.2); there is no published
// script. RandAugment, which the paper prints as (0, 0.5) for every training, is that of the fine-tuning scripts, and clips of
// Something-Something are not mirrored, as there (spec 11.6).

import { type DistillRunOptions, distillOptions } from "./distill-config.js";
import { RecipeBook } from "./recipe-book.js";

/** Options of a run, any of them. */
export type DistillRecipeOptions = Partial<DistillRunOptions>;

const shared = {
  ...{ model: "vit-base", image: 224, frames: 16, epochs: 100, warmupEpochs: 5, weightDecay: 0.05 },
  ...{ betas: [0.9, 0.999] as [number, number], layerDecay: 0.75, clipNorm: 1, temperature: 3 },
  ...{ randAugment: "rand-m7-n4-mstd0.5-inc1", mixup: 0.8, cutmix: 1, dropPath: 0.1, headDropout: 0, views: 1 },
} satisfies DistillRecipeOptions;

/** The recipes of `distill` by name: ViT-B from ViT-g, as in the paper of VideoMAE V2. */
export const distillRecipes = new RecipeBook<DistillRecipeOptions>(distillOptions, {
  "vit-b-from-g-k710": {
    name: "vit-b-from-g-k710",
    description: "ViT-B from ViT-g on Kinetics-710",
    options: { ...shared, stride: 4, sampling: "dense", flip: 0.5, lr: 1e-3, batchSize: 16, accumulate: 64 },
  },
  "vit-b-from-g-ssv2": {
    name: "vit-b-from-g-ssv2",
    description: "ViT-B from ViT-g on Something-Something V2",
    options: { ...shared, sampling: "sparse", flip: 0, lr: 5e-4, batchSize: 16, accumulate: 32 },
  },
});
