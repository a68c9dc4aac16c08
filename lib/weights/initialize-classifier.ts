// How a classifier begins: with the encoder of a pre-training run or of another classifier, and with a head whose rows are
// found by class (spec 6). The 710 classes of a post-pre-trained model thus become those of Kinetics-400, -600 or -700.

import { checkClassNames } from "../data/class-names.js";
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { readFloats } from "../io/stored-numbers.js";
import { type OpenWeightsOptions, openWeights, type Weights } from "../io/weights.js";
import type { ClassifierModel } from "../models/classifier.js";
import { detectLayout } from "./detect-layout.js";
import { storedNames } from "./layouts.js";
import type { LoadReport } from "./load-report.js";
import { loadWeights } from "./load-weights.js";
import { runOf } from "./run-description.js";

/** Which row of a stored head becomes which class. */
export interface InitializeOptions extends OpenWeightsOptions {
  /** Names of the model's classes, by number. */
  readonly classes?: readonly string[];
  /** Names of the classes of the stored head, by number; default those that a checkpoint of a run has. */
  readonly storedClasses?: readonly string[];
  /** For each class of the model, the row of the stored head that it begins with; instead of names. */
  readonly labelMap?: readonly number[];
}

/** Where the rows of a head came from. */
export interface HeadOrigin {
  /**
   * "kept": the stored head is the model's. "mapped": rows were found by class. "new": there is no stored head, or none of
   * its rows is one of the model's classes.
   */
  readonly kind: "kept" | "mapped" | "new";
  /** Classes of the model that begin anew although others were found, by number. */
  readonly fresh: readonly number[];
}

/**
 * Loads an encoder, and what fits of a head, into a classifier that is to be trained. A pre-training checkpoint has no
 * head and no norm over the pooled vector: these stay as they are.
 *
 * The head is kept when it has as many classes as the model and nothing says that they are others.
 *
 * @param path  a file of weights, the folder of a run, or a model hub's folder
 * @throws VideomaeError when nothing of the encoder fits, or a label map is not one of these two heads
 */
export async function initializeClassifier(
  model: ClassifierModel,
  path: string,
  options: InitializeOptions = {},
): Promise<{ report: LoadReport; head: HeadOrigin }> {
  const { classes, storedClasses, labelMap, ...open } = options;
  rejectUnknownOptions("initializeClassifier", options, ["container", "classes", "storedClasses", "labelMap"]);
  using weights = await openWeights(path, open);
  const rows = rowsOf(weights, model, { classes, storedClasses: storedClasses ?? runOf(weights)?.classes, labelMap });
  const before = rows === "keep" || model.head === undefined ? undefined : readHead(model);
  const report = loadWeights(model, weights, { partial: true });
  refuseWithoutEncoder(report, model);
  if (before === undefined || rows === "keep") return { report, head: { kind: "kept", fresh: [] } };
  const found = rows?.filter((row) => row !== undefined).length ?? 0;
  // Loading kept whatever had the right shape: of other classes it is not the model's head.
  writeHead(model, before);
  if (rows === undefined || found === 0) return { report: withoutHead(report), head: { kind: "new", fresh: [] } };
  copyRows(weights, model, rows);
  const fresh = rows.flatMap((row, i) => (row === undefined ? [i] : []));
  return { report, head: { kind: "mapped", fresh } };
}

type Rows = readonly (number | undefined)[];

/** The stored row of each class; "keep" when all are in their place, undefined when there is nothing to take. */
function rowsOf(
  weights: Weights,
  model: ClassifierModel,
  { classes, storedClasses, labelMap }: Omit<InitializeOptions, "container">,
): Rows | "keep" | undefined {
  const stored = headOf(weights);
  const own = model.config.classes;
  const fail = (expected: string, got: string): never => {
    throw new VideomaeError({ op: "initialize", expected, got });
  };
  for (const [what, names, count] of [
    ["of the model", classes, own],
    ["of the stored head", storedClasses, stored?.count],
  ] as const) {
    if (names === undefined || count === undefined) continue;
    checkClassNames(names, (i) => `class ${i} ${what}`);
    if (names.length !== count) fail(`${count} names, as many as the classes ${what}`, `${names.length}`);
  }
  if (stored === undefined) {
    if (labelMap !== undefined) fail("weights with a head, for a label map", `${weights.path} without one`);
    return undefined;
  }
  if (labelMap !== undefined) {
    if (labelMap.length !== own) fail(`a label map of ${own} classes, as many as the model has`, `${labelMap.length}`);
    const wrong = labelMap.findIndex((row) => !(Number.isSafeInteger(row) && row >= 0 && row < stored.count));
    if (wrong >= 0)
      fail(`rows from 0 to ${stored.count - 1} in the label map`, `${labelMap[wrong]} for class ${wrong}`);
    return labelMap;
  }
  if (classes !== undefined && storedClasses !== undefined) {
    const numbers = new Map(storedClasses.map((name, i) => [name, i]));
    const rows = classes.map((name) => numbers.get(name));
    return rows.length === stored.count && rows.every((row, i) => row === i) ? "keep" : rows;
  }
  return stored.count === own ? "keep" : undefined;
}

interface StoredHead {
  readonly count: number;
  /** Names of the tensors in the file. */
  readonly weight: string;
  readonly bias: string;
}

function headOf(weights: Weights): StoredHead | undefined {
  const { layout, stored } = detectLayout(weights);
  const names = ["head.weight", "head.bias"].map((name) => storedNames(layout, name)?.[0]);
  const [weight, bias] = names.map((name) => (name === undefined ? undefined : stored.get(name)));
  if (weight === undefined || bias === undefined) return undefined;
  return { count: weights.entry(weight).shape[0], weight, bias };
}

interface Head {
  readonly weight: Float32Array | Float64Array;
  readonly bias: Float32Array | Float64Array;
}

function readHead({ head }: ClassifierModel): Head {
  const [weight, bias] = [head!.weight, head!.bias!].map(({ value }) => value.readSync() as Head["weight"]);
  return { weight, bias };
}

function writeHead({ head }: ClassifierModel, { weight, bias }: Head): void {
  head!.weight.value.write(weight);
  head!.bias!.value.write(bias);
}

function copyRows(weights: Weights, model: ClassifierModel, rows: Rows): void {
  const stored = headOf(weights)!;
  const width = model.config.width;
  const [, columns] = weights.entry(stored.weight).shape;
  if (columns !== width) {
    const got = `${columns} in ${weights.path}`;
    throw new VideomaeError({ op: "initialize", expected: `a stored head ${width} wide, as the model is`, got });
  }
  const [from, biases, head] = [readFloats(weights, stored.weight), readFloats(weights, stored.bias), readHead(model)];
  for (const [i, row] of rows.entries()) {
    if (row === undefined) continue;
    head.weight.set(from.subarray(row * width, (row + 1) * width), i * width);
    head.bias[i] = biases[row];
  }
  writeHead(model, head);
}

/** The report of a load whose head was not taken after all. */
function withoutHead(report: LoadReport): LoadReport {
  const loaded = report.loaded.filter((name) => !name.startsWith("head."));
  return { ...report, loaded };
}

function refuseWithoutEncoder({ loaded, path }: LoadReport, model: ClassifierModel): void {
  const encoder = model.namedParameters().filter(([name]) => name.startsWith("blocks.") || name.startsWith("patch_"));
  const found = new Set(loaded);
  const missing = encoder.filter(([name]) => !found.has(name));
  if (missing.length === 0) return;
  throw new VideomaeError({
    op: "initialize",
    expected: `the whole encoder of the model in ${path}`,
    got: `${encoder.length - missing.length} of ${encoder.length} parameters: ${missing[0][0]} is missing or of another shape`,
    hint: "is it of the same model size, patch and number of blocks?",
  });
}
