// The mean of the weights of several checkpoints, e.g. of the last ones of a run. Sums are f64, in the order given, and
// rounded once; the memory is that of one parameter.

import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { listCheckpoints } from "../io/checkpoint-folder.js";
import type { OpenWeightsOptions } from "../io/weights.js";
import { openStoredModel, type StoredModel } from "./stored-model.js";
import { type WriteOptions, type WrittenModel, writeModel } from "./write-model.js";

/** Options of `averageWeights`. */
export interface AverageOptions extends Partial<WriteOptions>, OpenWeightsOptions {}

/**
 * Averages weights: files of one model, in whatever layouts.
 *
 * @param inputs  two or more files of weights, or folders as for `convertWeights`
 * @param output  where the mean goes, new; in the official layout of its kind unless `to` names another
 * @returns what was written, and warnings that a program should show
 * @throws VideomaeError when a file is damaged, or is of another model than the first one: it says in what
 * @example await averageWeights(lastCheckpoints("runs/pt", 5), "mean.safetensors");
 */
export async function averageWeights(
  inputs: readonly string[],
  output: string,
  options: AverageOptions = {},
): Promise<WrittenModel> {
  rejectUnknownOptions("averageWeights", options, ["to", "dtype", "container"]);
  if (inputs.length < 2) {
    throw new VideomaeError({ op: "average", expected: "two or more files of weights", got: `${inputs.length}` });
  }
  const models: (StoredModel & Disposable)[] = [];
  try {
    for (const input of inputs) {
      models.push(await openStoredModel(input, { container: options.container }));
      checkAlike(models[0], models[models.length - 1]);
    }
    const official = models[0].kind === "pre-training model" ? "official-pretrain" : "official-classifier";
    return writeModel(meanOf(models), output, { to: options.to ?? official, dtype: options.dtype });
  } finally {
    for (const model of models) model[Symbol.dispose]();
  }
}

/**
 * The newest checkpoints of a run's folder, oldest first.
 * @throws VideomaeError when there are fewer
 */
export function lastCheckpoints(folder: string, count: number): string[] {
  if (!(Number.isSafeInteger(count) && count >= 1)) {
    throw new VideomaeError({ op: "last", expected: "a number of checkpoints", got: String(count) });
  }
  const paths = listCheckpoints(folder).map(({ path }) => path);
  if (paths.length >= count) return paths.slice(-count);
  throw new VideomaeError({
    op: folder,
    expected: `${count} checkpoints of a run`,
    got: `${paths.length}`,
    hint: "the run's option keep says how many stay",
  });
}

function meanOf(models: readonly StoredModel[]): StoredModel {
  const read = (name: string): Float32Array => {
    const sums = Float64Array.from(models[0].read(name));
    for (const model of models.slice(1)) {
      const values = model.read(name);
      for (let i = 0; i < sums.length; i++) sums[i] += values[i];
    }
    const means = new Float32Array(sums.length);
    for (let i = 0; i < sums.length; i++) means[i] = sums[i] / models.length;
    return means;
  };
  const warnings = [...new Set(models.flatMap((model) => model.warnings))];
  return { ...models[0], warnings, read };
}

/** Fields of a description that no output of a trained model depends on. */
const trainingFields = ["dropPath", "layerScale", "headDropout", "headInitScale"];

function checkAlike(first: StoredModel, other: StoredModel): void {
  const fail = (expected: string, got: string): never => {
    throw new VideomaeError({ op: `average ${other.path}`, expected: `${expected}, as in ${first.path}`, got });
  };
  if (other.kind !== first.kind) fail(`a ${first.kind}`, `a ${other.kind}`);
  const shapes = new Map(other.parameters);
  for (const [name, shape] of first.parameters) {
    const own = shapes.get(name);
    if (own === undefined) fail(`a parameter ${name}`, "none");
    else if (own.join() !== shape.join()) fail(`${name} of shape [${shape.join(", ")}]`, `[${own.join(", ")}]`);
    shapes.delete(name);
  }
  for (const name of shapes.keys()) fail(`no parameter ${name}`, "one");
  const { config } = other;
  for (const [field, value] of Object.entries({ ...first.config, position: first.position })) {
    const own = { ...config, position: other.position }[field as keyof typeof config];
    if (own !== value && !trainingFields.includes(field)) fail(`${field} ${value}`, String(own));
  }
}
