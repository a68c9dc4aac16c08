// Options and recipes of fine-tuning: the published script's defaults, its sixteen runs, and what its options are called.
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, test } from "vitest";
import { classifierOptions, parseFinetuneConfig, planFinetuneSteps } from "#lib/config/finetune-config.js";
import { finetuneRecipes, postPretrainRecipes } from "#lib/config/finetune-recipes.js";
import { adviceOnClassifierKey, officialFinetuneOptions } from "#lib/config/official-finetune-options.js";
import { officialOptions } from "#lib/config/official-options.js";
import { pretrainRecipes } from "#lib/config/recipes.js";
import { scaleLearningRate } from "#lib/optim/schedule.js";

test("defaults are the published script's (spec 14.2)", () => {
  expect(parseFinetuneConfig({ data: "list.csv" })).toMatchObject({
    ...{ out: "runs/finetune", batchSize: 64, accumulate: 1, views: 2, lr: 1e-3, minLr: 1e-6, warmupLr: 0 },
    ...{
      layerDecay: 0.75,
      weightDecay: 0.05,
      betas: [0.9, 0.999],
      dropPath: 0.1,
      headDropout: 0,
      headInitScale: 0.001,
    },
    ...{ randAugment: "rand-m7-n4-mstd0.5-inc1", erase: 0.25, eraseFill: "pixel", flip: 0.5 },
    ...{ mixup: 0.8, cutmix: 1, mixProbability: 1, cutmixShare: 0.5, mixMode: "batch", smoothing: 0.1 },
    ...{ pooling: "mean", sampling: "dense", startIndex: 1, pictures: "total-label" },
  });
  expect(parseFinetuneConfig({ data: "list.csv" }, "post-pretrain").out).toBe("runs/post-pretrain");
  const plan = planFinetuneSteps(parseFinetuneConfig({ data: "list.csv" }), 100);
  expect(plan).toMatchObject({ steps: 3000, warmupSteps: 300 }); // 5 epochs would be more than a tenth
});

// Script, data: GPUs x videos, peak rate, layer decay, weight decay, drop path, head dropout, warm-up, epochs, flip.
const scripts = [
  ["vit-b-k400", 512, 1.4e-3, 0.75, 0.05, 0.1, 0, 5, 90, 0.5],
  ["vit-b-k710", 512, 1.4e-3, 0.75, 0.05, 0.1, 0, 5, 90, 0.5],
  ["vit-b-ssv2", 256, 2e-3, 0.65, 0.05, 0.1, 0, 5, 25, 0],
  ["vit-l-k400", 192, 1.5e-3, 0.75, 0.05, 0.2, 0, 5, 35, 0.5],
  ["vit-l-ssv2", 192, 3.75e-4, 0.75, 0.05, 0.2, 0, 5, 20, 0],
  ["vit-h-k400", 128, 5e-4, 0.8, 0.05, 0.2, 0.5, 5, 40, 0.5],
  ["vit-h-k600", 128, 5e-4, 0.8, 0.05, 0.2, 0.5, 5, 40, 0.5],
  ["vit-h-k710", 128, 5e-4, 0.8, 0.05, 0.2, 0.5, 5, 40, 0.5],
  ["vit-h-ssv2", 128, 2.5e-4, 0.8, 0.05, 0.2, 0, 5, 20, 0],
  ["vit-g-k400", 192, 7.5e-4, 0.9, 0.1, 0.2, 0, 5, 30, 0.5],
  ["vit-g-k710", 96, 3.75e-4, 0.9, 0.1, 0.3, 0, 5, 35, 0.5],
  ["vit-g-ssv2", 96, 1.125e-4, 0.9, 0.05, 0.25, 0, 5, 20, 0],
  ["vit-g-k710-k400", 96, 3.75e-6, 0.9, 0.1, 0.25, 0, 1, 3, 0.5],
  ["vit-g-k710-k600", 96, 3.75e-6, 0.9, 0.1, 0.25, 0, 1, 3, 0.5],
  ["vit-g-k710-ucf101", 24, 9.375e-5, 0.9, 0.05, 0.35, 0.5, 5, 50, 0.5],
  ["vit-g-k710-hmdb51", 24, 4.6875e-5, 0.9, 0.05, 0.35, 0.5, 5, 15, 0.5],
] as const;

test.each(scripts)(
  "%s has the numbers of its script (spec 7.2)",
  (name, videos, peak, layerDecay, weightDecay, dropPath, headDropout, warmupEpochs, epochs, flip) => {
    const book = /k710$/.test(name) ? postPretrainRecipes : finetuneRecipes;
    const config = parseFinetuneConfig({ ...book.recipe(name).options, data: "x" }, book.options.stage as "finetune");
    expect(config).toMatchObject({ layerDecay, weightDecay, dropPath, headDropout, warmupEpochs, epochs, flip });
    expect(config.batchSize * config.accumulate).toBe(videos);
    expect(scaleLearningRate(config.lr, videos)).toBeCloseTo(peak, 12);
    expect(config).toMatchObject({ betas: [0.9, 0.999], minLr: 1e-6, headInitScale: 0.001, saveEpochs: 10, views: 2 });
    expect(config.clipNorm).toBe(name === "vit-g-k710" ? 5 : undefined);
    expect(config.sampling).toBe(name.endsWith("ssv2") ? "sparse" : "dense");
    if (config.sampling === "dense") expect(config.stride).toBe(name.endsWith("hmdb51") ? 2 : 4);
  },
);

test("every recipe of the published scripts is there, under one name", () => {
  const names = [finetuneRecipes, postPretrainRecipes].flatMap(({ recipes }) => Object.keys(recipes));
  expect(names.sort()).toEqual(scripts.map(([name]) => name).sort());
  for (const name of names) expect(pretrainRecipes.recipes).not.toHaveProperty(name);
});

describe("YAML", () => {
  it("holds every recipe and every option", () => {
    for (const book of [finetuneRecipes, postPretrainRecipes]) {
      for (const { name, options } of Object.values(book.recipes)) {
        expect(book.parse(book.format(options, { explained: true }), "r.yaml")).toEqual(options);
        expect(book.parse(`extends: ${name}\n`, "r.yaml")).toEqual(options);
      }
    }
    const config = parseFinetuneConfig({ data: ["a.csv", { path: "b/", weight: 1 }], emaDecay: 0.9 });
    expect(parseFinetuneConfig({ data: "", ...finetuneRecipes.parse(finetuneRecipes.format(config), "r") })).toEqual({
      ...config,
      data: config.data,
    });
  });

  it.each([
    ["maskRatio: 0.9", /expected a known option; got "maskRatio"/],
    ["smothing: 0.1", /did you mean "smoothing"/],
    ["mixMode: elem", /mixMode: expected one of batch, pair, element; got "elem"/],
    ["update_freq: 2", /it is called "accumulate" here/],
    ["finetune: x.pth", /it is called "weights" here/],
    ["nb_classes: 400", /there is no such option: classes are counted in the data/],
    ["extends: vit-b-k40", /did you mean "vit-b-k400"/],
  ])("%s", (text, message) => {
    expect(() => finetuneRecipes.parse(text, "r.yaml")).toThrow(message);
  });
});

test("published options lead to options that exist, and stand in the documents", () => {
  const known = new Set(classifierOptions.finetune.describe().map(({ name }) => name));
  const text = readFileSync(path.resolve(import.meta.dirname, "../../docs/finetune.md"), "utf8");
  for (const [name, option] of Object.entries(officialFinetuneOptions)) {
    if ("ours" in option) expect(known).toContain(option.ours);
    const cells = "reason" in option ? ["none", option.reason] : [`\`${option.ours}\``, option.note ?? ""];
    expect(text).toContain(`| \`${name}\` | ${cells.join(" | ")} |`.replace("|  |", "| |"));
  }
  for (const name of Object.keys(officialOptions)) {
    const advised = /it is called "(\w+)" here/.exec(adviceOnClassifierKey(name) ?? "")?.[1];
    if (advised) expect(known, name).toContain(advised);
  }
  expect(adviceOnClassifierKey("mask_ratio")).toMatch(/it belongs to pre-training/);
});
