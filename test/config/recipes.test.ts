import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, test } from "vitest";
import { parsePretrainConfig, planSteps } from "#lib/config/pretrain-config.js";
import { formatRecipe, loadRecipe, parseRecipe, recipe, recipes } from "#lib/config/recipes.js";
import { VideomaeError } from "#lib/errors.js";
import { scaleLearningRate } from "#lib/optim/schedule.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();

// The published scripts (spec 7.1): videos and clips an update, peak and final rate, warm-up and epochs, list passes.
test.each([
  ["vit-b-hybrid-800e", "vit-base", 1024, 4096, 4.0e-3, 4e-5, 20, 200, undefined, false, 20],
  ["vit-l-hybrid-1200e", "vit-large", 1536, 6144, 6.0e-3, 6e-5, 30, 300, undefined, false, 20],
  ["vit-h-hybrid-1200e", "vit-huge", 2048, 8192, 8.0e-3, 8e-5, 30, 300, undefined, true, 10],
  ["vit-g-hybrid-1200e", "vit-giant", 2048, 8192, 4.8e-3, 8e-5, 30, 300, 0.02, true, 5],
] as const)(
  "%s has the numbers of its script",
  (name, model, videos, clips, peak, final, warmup, epochs, clip, recompute, save) => {
    const config = parsePretrainConfig({ ...recipe(name).options, data: "list.csv" });
    expect(config).toMatchObject({
      ...{ model, warmupEpochs: warmup, epochs, recompute, saveEpochs: save, betas: [0.9, 0.95], eps: 1e-8 },
      ...{ mask: "tube", maskRatio: 0.9, decoderMask: "running-cell", decoderMaskRatio: 0.5, decoderDepth: 4 },
      ...{ frames: 16, stride: 4, views: 4, weightDecay: 0.05, dropPath: 0, normalizeTarget: true },
    });
    expect(config.clipNorm).toBe(clip);
    const effective = config.batchSize * config.accumulate;
    expect([effective, effective * config.views]).toEqual([videos, clips]);
    expect(scaleLearningRate(config.lr, effective)).toBeCloseTo(peak, 12);
    expect(scaleLearningRate(config.minLr, effective)).toBeCloseTo(final, 12);
    expect(config.warmupLr).toBe(0);
    const plan = planSteps(config, 10);
    expect(plan).toEqual({ steps: 10 * epochs, warmupSteps: 10 * warmup, saveEvery: 10 * save });
    expect(name.endsWith(`-${epochs * config.views}e`)).toBe(true);
  },
);

describe("YAML", () => {
  it("holds every named recipe", () => {
    for (const { name, options } of Object.values(recipes)) {
      const text = formatRecipe(options, { header: name, explained: true });
      expect(parseRecipe(text, "r.yaml")).toEqual(options);
      expect(parseRecipe(`extends: ${name}\n`, "r.yaml")).toEqual(options);
    }
  });

  it.each([
    { data: "a: b # c", root: "~", out: "- x", model: "yes", framesTemplate: "{:05}.jpg", resume: "no" },
    { data: "two\nlines", seed: 2 ** 53 - 1, lr: 1e-12, betas: [0, 0.5], resume: false, normalizeTarget: false },
    { data: " 'quotes\" ", steps: 7, eps: 5e-324 },
  ])("holds what it is given: %o", (options) => {
    const config = parsePretrainConfig(options);
    expect(parsePretrainConfig(parseRecipe(formatRecipe(config), "r.yaml"))).toEqual(config);
  });

  it("begins with a named recipe, and what stands in the file counts", () => {
    const options = parseRecipe("extends: vit-b-hybrid-800e\nsteps: 10\nbatchSize: 8\n", "r.yaml");
    expect(options).toMatchObject({ model: "vit-base", steps: 10, batchSize: 8, accumulate: 32 });
    expect(options).not.toHaveProperty("epochs"); // steps are instead of epochs
  });

  it.each([
    ["lr: 1\nbatch: 3", /^r\.yaml:2:1: expected a known option; got "batch".*did you mean "batchSize"/],
    ["\nbatch_size: 3", /^r\.yaml:2:1: .*it is called "batchSize" here/],
    ["pin_mem: true", /there is no such option: it speeds up copies to a GPU/],
    ["lr: 1\n\nmaskRatio: big", /^r\.yaml:3:1 maskRatio: expected number; got "big"/],
    ["betas: [0.9,\n  2]", /^r\.yaml:2:3 betas\[1\]: .*<1; got 2/],
    ["decoderMask: run_cell", /it is called "running-cell" here/],
    ["mask: tbue", /did you mean "tube"/],
    ["steps: 1\nepochs: 2", /expected epochs or steps, not both/],
    ["lr: 1\nlr: 2", /^r\.yaml:2:1: expected YAML; got Map keys must be unique/],
    ["data: !!js/function x", /^r\.yaml:1:7: .*Unresolved tag/],
    ["lr: [1", /^r\.yaml:1:\d+: expected YAML/],
    ["extends: vit-b", /^r\.yaml:1:1 extends: .*did you mean "vit-b-hybrid-800e"/],
    ["extends: 3", /extends: expected the name of a recipe; got 3/],
    ["", /expected options, one a line, .* got nothing/],
    ["- lr", /got a list/],
    ["__proto__: {lr: 1}", /got "__proto__"/],
    ["constructor: 1", /got "constructor"/],
    [`${"[".repeat(50_000)}`, /very deep nesting/],
    [`${"- ".repeat(20_000)}x`, /very deep nesting/],
    [`data: "${"x".repeat(70_000)}"`, /at most 65536 bytes/],
    ["a: &a [x,x,x]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]", /alias/],
  ])("mistake %#", (text, message) => {
    expect(() => parseRecipe(text, "r.yaml")).toThrow(message);
    expect(() => parseRecipe(text, "r.yaml")).toThrow(VideomaeError);
  });
});

describe("loadRecipe", () => {
  it("knows names and files", () => {
    const file = path.join(folder, "mine.yaml");
    writeFileSync(file, "lr: 0.5\n");
    expect(loadRecipe("vit-b-hybrid-800e")).toEqual(recipes["vit-b-hybrid-800e"].options);
    expect(loadRecipe(file)).toEqual({ lr: 0.5 });
  });

  it("says what is wrong with others", () => {
    mkdirSync(path.join(folder, "folder.yaml"));
    expect(() => loadRecipe("vit-c-hybrid-800e")).toThrow(/did you mean "vit-b-hybrid-800e"/);
    expect(() => loadRecipe(path.join(folder, "none.yaml"))).toThrow(
      /none\.yaml: expected a recipe in YAML; got no such/,
    );
    expect(() => loadRecipe(path.join(folder, "folder.yaml"))).toThrow(/got a folder/);
  });
});

test("the table of published options stands in the documents, line by line", async () => {
  const { officialOptions } = await import("#lib/config/official-options.js");
  const text = readFileSync(path.resolve(import.meta.dirname, "../../docs/options.md"), "utf8");
  for (const [name, option] of Object.entries(officialOptions)) {
    const cells = "reason" in option ? ["none", option.reason] : [`\`${option.ours}\``, option.note ?? ""];
    expect(text).toContain(`| \`${name}\` | ${cells.join(" | ")} |`.replace("|  |", "| |"));
  }
});
