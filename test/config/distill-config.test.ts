// The options of distillation: the paper's numbers, and that they are those of fine-tuning besides.
import { describe, expect, it } from "vitest";
import { distillOptions, parseDistillConfig, planDistillSteps } from "#lib/config/distill-config.js";
import { distillRecipes } from "#lib/config/distill-recipes.js";
import { classifierOptions } from "#lib/config/finetune-config.js";
import { probeOptions } from "#lib/config/probe-config.js";

const given = { data: "train.csv", teacher: "runs/giant" };

describe("options of distillation", () => {
  it("are the paper's unless told otherwise", () => {
    const config = parseDistillConfig(given);
    const paper = { temperature: 3, lr: 1e-3, weightDecay: 0.05, mixup: 0.8, cutmix: 1, dropPath: 0.1, clipNorm: 1 };
    expect(config).toMatchObject({ ...paper, layerDecay: 0.75, betas: [0.9, 0.999], out: "runs/distill" });
    expect(planDistillSteps(config, 10)).toMatchObject({ steps: 1000, warmupSteps: 50 });
  });

  it.each(Object.values(distillRecipes.recipes))("$name is one", ({ name, options }) => {
    const config = parseDistillConfig({ ...given, ...options });
    const [videos, rate] = name.endsWith("k710") ? [1024, 1e-3] : [512, 5e-4];
    expect([config.batchSize * config.accumulate, config.lr, config.epochs]).toEqual([videos, rate, 100]);
    expect(config.flip).toBe(name.endsWith("ssv2") ? 0 : 0.5);
  });

  it("have all of fine-tuning's, described", () => {
    const own = new Set(distillOptions.describe().map(({ name }) => name));
    for (const { name } of classifierOptions.finetune.describe()) expect(own).toContain(name);
    for (const { name, description } of [...distillOptions.describe(), ...probeOptions.describe()]) {
      expect(description, name).not.toBe("");
    }
  });

  it.each([
    [{ data: "train.csv" }, /distill teacher: expected/],
    [{ ...given, temperature: 0 }, /distill temperature: expected number to be >0; got 0/],
    [{ ...given, temprature: 3 }, /did you mean "temperature"/],
  ])("refuses %o", (options, message) => {
    expect(() => parseDistillConfig(options)).toThrow(message);
  });
});
