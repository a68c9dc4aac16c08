// Distillation's recipes: a post-pre-trained ViT-B learns from ViT-g, as the paper describes it (spec 9.2, 11.6); there is no
// published script. What the paper calls RandAugment (0, 0.5) is of magnitude 0: only its deviation is left.

import { type DistillRunOptions, distillOptions } from "./distill-config.js";
import { RecipeBook } from "./recipe-book.js";

/** Options of a run, any of them. */
export type DistillRecipeOptions = Partial<DistillRunOptions>;

const shared = {
  ...{ model: "vit-base", image: 224, frames: 16, epochs: 100, warmupEpochs: 5, weightDecay: 0.05 },
  ...{ betas: [0.9, 0.999] as [number, number], layerDecay: 0.75, clipNorm: 1, temperature: 3 },
  ...{ randAugment: "rand-m0-n2-mstd0.5-inc1", mixup: 0.8, cutmix: 1, dropPath: 0.1, headDropout: 0, flip: 0.5 },
} satisfies DistillRecipeOptions;

export const distillRecipes = new RecipeBook<DistillRecipeOptions>(distillOptions, {
  "vit-b-from-g-k710": {
    name: "vit-b-from-g-k710",
    description: "ViT-B from ViT-g on Kinetics-710",
    options: { ...shared, stride: 4, sampling: "dense", lr: 1e-3, batchSize: 16, accumulate: 64 },
  },
  "vit-b-from-g-ssv2": {
    name: "vit-b-from-g-ssv2",
    description: "ViT-B from ViT-g on Something-Something V2",
    options: { ...shared, sampling: "sparse", lr: 5e-4, batchSize: 16, accumulate: 32 },
  },
});
