import { expect, test } from "vitest";
import { parsePretrainConfig, planSteps, pretrainOptions } from "#lib/config/pretrain-config.js";
import { overrideOptions } from "#lib/config/stage-options.js";
import { VideomaeError } from "#lib/errors.js";

test("defaults", () => {
  expect(parsePretrainConfig({ data: "clips" })).toMatchObject({
    data: "clips",
    model: "vit-base",
    maskRatio: 0.9,
    decoderMask: "running-cell",
    decoderMaskRatio: 0.5,
    lr: 1.5e-4,
    warmupLr: 0,
    betas: [0.9, 0.95],
    resume: true,
  });
});

test("a parsed configuration survives JSON and parses to itself", () => {
  const config = parsePretrainConfig({ data: "clips", steps: 5, clipNorm: 0.02, resume: "runs/x.safetensors" });
  expect(parsePretrainConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
});

test.each([
  [{}, /pretrain data: expected string or array; got nothing/],
  [{ data: 3 }, /pretrain data: expected string or array; got 3/],
  [{ data: ["x", {}] }, /pretrain data\[1\]\.path: expected string; got nothing/],
  [{ data: [{ path: "x", weight: 0 }] }, /pretrain data\[0\]\.weight: expected number to be >0; got 0/],
  [{ data: ["x", { path: "y", wieght: 2 }] }, /pretrain data\[1\]: .*got "wieght".*did you mean "weight"/],
  [{ data: "x", bachSize: 4 }, /got "bachSize".*did you mean "batchSize"/],
  [{ data: "x", mask: "tub" }, /mask: expected one of tube.*did you mean "tube"/],
  [{ data: "x", batchSize: 1.5 }, /batchSize: expected an integer; got 1.5/],
  [{ data: "x", batchSize: "4" }, /batchSize: expected number; got "4"/],
  [{ data: "x", maskRatio: 1 }, /maskRatio.*<1; got 1/],
  [{ data: "x", betas: [0.9, 2] }, /betas\[1\].*<1; got 2/],
  [{ data: "x", epochs: 1, steps: 3 }, /epochs or steps, not both/],
  [{ data: "x", warmupEpochs: 1, warmupSteps: 3 }, /warmupEpochs or warmupSteps, not both/],
  [{ data: "x", lr: Number.NaN }, /lr: expected number/],
  [null, /pretrain: expected object; got null/],
])("%o is refused", (options, message) => {
  expect(() => parsePretrainConfig(options)).toThrow(message);
  expect(() => parsePretrainConfig(options)).toThrow(VideomaeError);
});

test("every option has a description; only data is required", () => {
  const options = pretrainOptions.describe();
  for (const { name, description } of options) expect(description, name).not.toBe("");
  expect(options.filter(({ required }) => required).map(({ name }) => name)).toEqual(["data"]);
  expect(options.find(({ name }) => name === "decoderMaskRatio")).toMatchObject({ default: 0.5 });
});

test("epochs become steps", () => {
  const plan = (options: object) => planSteps(parsePretrainConfig({ data: "x", ...options }), 10);
  expect(plan({})).toEqual({ steps: 3000, warmupSteps: 300, saveEvery: 1000 });
  expect(plan({ epochs: 800 })).toEqual({ steps: 8000, warmupSteps: 400, saveEvery: 1000 });
  expect(plan({ epochs: 100, warmupEpochs: 2.5 })).toEqual({ steps: 1000, warmupSteps: 25, saveEvery: 1000 });
  expect(plan({ steps: 50 })).toEqual({ steps: 50, warmupSteps: 5, saveEvery: 1000 });
  expect(plan({ steps: 50, warmupSteps: 0 })).toEqual({ steps: 50, warmupSteps: 0, saveEvery: 1000 });
  expect(plan({ steps: 50, saveEpochs: 2 }).saveEvery).toBe(20);
});

test("options on top replace those they exclude", () => {
  expect(overrideOptions({ epochs: 3, lr: 1, warmupSteps: 2 }, { steps: 5, lr: undefined })).toEqual({
    ...{ lr: 1, warmupSteps: 2, steps: 5 },
  });
  expect(overrideOptions({ warmupSteps: 2 }, { warmupEpochs: 1 })).toEqual({ warmupEpochs: 1 });
});

test("what an option's values are", () => {
  const kinds = Object.fromEntries(pretrainOptions.describe().map(({ name, kind }) => [name, kind]));
  expect(kinds).toMatchObject({
    ...{ lr: "number", framesTemplate: "string", recompute: "boolean", betas: "numbers", mask: "string" },
    ...{ resume: "string", clipNorm: "number" },
  });
});

test("the schema of recipes can be written as JSON Schema", () => {
  expect(pretrainOptions.jsonSchema()).toMatchObject({ type: "object", properties: { maskRatio: { default: 0.9 } } });
});
