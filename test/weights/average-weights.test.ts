// Means of weights: every value, and what is refused.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { writeCheckpoint } from "#lib/io/checkpoint.js";
import { checkpointPath } from "#lib/io/checkpoint-folder.js";
import { openSafetensors } from "#lib/io/safetensors.js";
import { parameterShapes, resolvePretrainConfig } from "#lib/models/sizes.js";
import { averageWeights, lastCheckpoints } from "#lib/weights/average-weights.js";
import { convertWeights } from "#lib/weights/convert-weights.js";
import { openPretrain } from "#lib/weights/open-model.js";
import { formulaParameter } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";
import { small, writeClassifier, writePretrain } from "./formula-model.js";

const folder = temporaryFolder();
let files = 0;
const fresh = () => path.join(folder, `${files++}.safetensors`);

/** The f64 mean of the same parameter with several seeds, rounded. */
function meanOf(seeds: readonly number[], name: string, shape: readonly number[]): Float32Array {
  const values = seeds.map((seed) => formulaParameter(seed, name, shape));
  return values[0].map((_, i) => values.reduce((sum, own) => sum + own[i], 0) / seeds.length);
}

function expectMean(file: string, seeds: readonly number[]): void {
  using opened = openSafetensors(file);
  expect(opened.names).toContain("patch_embed.proj.weight");
  for (const name of opened.names) {
    expect(opened.read(name), name).toEqual(meanOf(seeds, name, opened.entry(name).shape));
  }
}

test("of three classifiers, one of them in another layout: the f64 mean, rounded once", async () => {
  const [a, b, c] = [7, 8, 9].map((seed) => writeClassifier(fresh(), {}, { seed }));
  const hub = path.join(folder, "hub");
  await convertWeights(b, hub, { to: "hugging-face-classifier" });
  const out = fresh();
  // The folder's config.json cannot say the epsilon of the norm over the pooled vector, so it is another model.
  await expect(averageWeights([a, hub, c], out)).rejects.toThrow(/pooledNormEps 0\.000001, as in .*got 0\.00001/);
  const official = fresh();
  await convertWeights(hub, official, { to: "official-classifier", config: { pooledNormEps: 1e-6 } });
  const written = await averageWeights([a, official, c], out);
  expect(written).toMatchObject({ path: out, layout: "official-classifier", warnings: [] });
  expectMean(out, [7, 8, 9]);
});

test("of a run's newest checkpoints, by the command; the mean is a model of the run's size", async () => {
  const run = path.join(folder, "run");
  mkdirSync(run);
  const model = resolvePretrainConfig({ ...small, decoderWidth: 24, decoderDepth: 1, decoderHeads: 3 });
  for (const step of [90, 100, 1000]) {
    const tensors = parameterShapes(model).map(([name, shape]) => ({
      name,
      shape,
      data: formulaParameter(step, name, shape),
    }));
    const state = { step, epoch: 0, seed: 0, config: {}, model };
    writeCheckpoint(checkpointPath(run, step), { state, model: tensors, expAvg: [], expAvgSq: [] });
  }
  const out = fresh();
  const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
  const average = (...args: string[]) => promisify(execFile)(process.execPath, [main, "average", ...args]);
  const { stdout, stderr } = await average(run, "--last", "2", "--out", out);
  expect([stdout, stderr]).toEqual([expect.stringMatching(/official-pretrain, \d+ tensors/), ""]);
  const opened = await openPretrain(out);
  using mean = opened.model;
  expect(mean.config).toEqual(model);
  for (const [name, { shape, value }] of mean.namedParameters()) {
    expect(value.readSync(), name).toEqual(meanOf([100, 1000], name, shape));
  }
  await expect(average(run, run, "--last", "2", "--out", fresh())).rejects.toThrow(
    /the folder of one run; got 2 paths/,
  );
  expect(() => lastCheckpoints(run, 4)).toThrow(/expected 4 checkpoints of a run; got 3/);
  expect(() => lastCheckpoints(run, 0)).toThrow(/expected a number of checkpoints; got 0/);
});

test("other models are refused, with what differs", async () => {
  const first = writeClassifier(fresh(), {});
  const out = fresh();
  const refused = (other: string, message: RegExp) =>
    expect(averageWeights([first, other], out)).rejects.toThrow(message);
  await refused(
    writeClassifier(fresh(), { classes: 4 }),
    /expected head\.weight of shape \[5, 48\], as in .*got \[4, 48\]/,
  );
  await refused(writeClassifier(fresh(), { qkvBias: false }), /expected a parameter blocks\.0\.attn\.q_bias.*got none/);
  await refused(writeClassifier(fresh(), { layerScale: 0.1 }), /expected no parameter blocks\.0\.gamma_1.*got one/);
  await refused(writeClassifier(fresh(), { heads: 4 }), /expected heads 3, as in .*got 4/);
  await refused(writePretrain(fresh()), /expected a classifier, as in .*got a pre-training model/);
  await expect(averageWeights([first], out)).rejects.toThrow(/expected two or more files of weights; got 1/);
  expect(existsSync(out)).toBe(false);
});
