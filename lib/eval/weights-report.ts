// What a file of weights holds, and whether its numbers can be those of a trained model. One tensor is looked at after
// the other, a few megabytes at a time, so the size of the file does not matter.

import { elementCount } from "../io/stored-dtype.js";
import type { TensorFile } from "../io/tensor-file.js";
import { type TensorStatistics, tensorStatistics } from "../io/tensor-statistics.js";
import { type OpenWeightsOptions, openWeights, type Weights } from "../io/weights.js";
import { unwrapNames } from "../io/wrapper-prefixes.js";
import { type RecognizedWeights, recognizeWeights } from "../models/recognize-weights.js";

/** One tensor of a file. */
export interface TensorReport {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Absent for a dtype that can be listed and not read. */
  readonly statistics: TensorStatistics | undefined;
}

export interface WeightsReport {
  readonly path: string;
  readonly format: Weights["format"];
  readonly container: string | undefined;
  readonly containers: readonly string[];
  /** Prefixes before the names of the model's parameters, e.g. `module.`. */
  readonly wrappers: readonly string[];
  readonly recognized: RecognizedWeights | undefined;
  readonly metadata: Weights["metadata"];
  readonly args: Weights["args"];
  readonly others: readonly string[];
  readonly tensors: readonly TensorReport[];
  readonly elements: number;
  readonly bytes: number;
  /** How many tensors each dtype has. */
  readonly dtypes: ReadonlyMap<string, number>;
  /** What a user must know, each in a sentence. */
  readonly warnings: readonly string[];
}

/**
 * Reads all of a file's tensors and reports on them.
 *
 * @param onTensor  called for each tensor when it has been read
 * @throws VideomaeError when the file cannot be read
 */
export async function weightsReport(
  path: string,
  options: OpenWeightsOptions = {},
  onTensor: (tensor: TensorReport) => void = () => {},
): Promise<WeightsReport> {
  using weights = await openWeights(path, options);
  const { wrappers, stored } = unwrapNames(weights.path, weights.names);
  const shapes = new Map([...stored].map(([bare, name]) => [bare, weights.entry(name).shape]));
  const recognized = recognizeWeights(shapes);
  const tensors = weights.names.map((name) => {
    const { dtype, shape } = weights.entry(name);
    const tensor = { name, dtype, shape, statistics: tensorStatistics(weights, name) };
    onTensor(tensor);
    return tensor;
  });
  const dtypes = new Map<string, number>();
  for (const { dtype } of tensors) dtypes.set(dtype, (dtypes.get(dtype) ?? 0) + 1);
  const biases = new Set(recognized?.queryValueBiases.map((bare) => stored.get(bare)));
  return {
    ...{ path: weights.path, format: weights.format, container: weights.container, containers: weights.containers },
    ...{ metadata: weights.metadata, args: weights.args, others: weights.others },
    ...{ wrappers, recognized, tensors, dtypes },
    elements: tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0),
    bytes: totalBytes(weights),
    warnings: warningsOf(tensors, biases, recognized),
  };
}

function totalBytes(file: TensorFile): number {
  return file.names.reduce((sum, name) => sum + file.entry(name).byteLength, 0);
}

function warningsOf(
  tensors: readonly TensorReport[],
  biases: ReadonlySet<string | undefined>,
  recognized: RecognizedWeights | undefined,
): string[] {
  const warnings: string[] = [];
  if (recognized === undefined) warnings.push("the names are those of no model that this package knows");
  const bad = tensors.filter(({ statistics: s }) => s !== undefined && s.nan + s.infinite > 0);
  if (bad.length > 0) warnings.push(`NaN or infinity in ${listed(bad)}: the model that wrote this had diverged`);
  const own = tensors.filter(({ name }) => biases.has(name));
  const lost = own.length > 0 && own.every(({ statistics }) => statistics?.allZero);
  if (lost) {
    warnings.push(
      `the biases of queries and values are all zero, in ${own.length} tensors: no trained model has that. They were ` +
        "probably lost when another library converted the file: take the weights from the original",
    );
  }
  const zero = tensors.filter(({ name, statistics }) => statistics?.allZero && !(lost && biases.has(name)));
  if (zero.length > 0) warnings.push(`all zero: ${listed(zero)}`);
  const unread = tensors.filter(({ statistics }) => statistics === undefined);
  if (unread.length > 0) warnings.push(`of a dtype that cannot be read: ${listed(unread)}`);
  return warnings;
}

function listed(tensors: readonly TensorReport[]): string {
  const names = tensors.slice(0, 5).map(({ name }) => name);
  return `${names.join(", ")}${tensors.length > 5 ? ` and ${tensors.length - 5} more` : ""}`;
}
