// Loading weights into a model, by name, in two steps: a plan, which compares names and shapes and needs no model, and
// its execution. So a refused file leaves a model as it was, and no memory is taken for a model that a file cannot fill.
// Tensors are read one by one: the memory in use is that of the model and one parameter.

import { VideomaeError } from "../errors.js";
import { elementCount } from "../io/stored-dtype.js";
import { readFloats } from "../io/stored-numbers.js";
import type { TensorFile } from "../io/tensor-file.js";
import type { NamedShape } from "../models/sizes.js";
import type { Module } from "../nn/module.js";
import { sinusoid } from "../nn/position-table.js";
import { type DetectedLayout, detectLayout } from "./detect-layout.js";
import { inertBecause, ourName, storedNames, tableName } from "./layouts.js";
import { describeReport, type LoadReport, type Mismatch } from "./load-report.js";

/** Options of `loadWeights`. */
export interface LoadOptions {
  /**
   * Take what fits and leave the rest of the model as it is: a head of another number of classes, an encoder into a
   * classifier. Default false: parameters that are missing or of another shape, and tensors that are nothing we know,
   * are an error.
   */
  readonly partial?: boolean;
}

/** What will be loaded, and the report of it. */
export interface LoadPlan {
  readonly report: LoadReport;
  /** For every parameter that will be loaded, the tensors of the file that hold it. */
  readonly stored: ReadonlyMap<string, readonly string[]>;
}

/**
 * Loads the parameters of a pre-training model or a classifier. A pre-training checkpoint gives its encoder to a
 * classifier, and a classifier to a pre-training model.
 *
 * @returns what was loaded, what was not, and warnings that a program should show
 * @throws VideomaeError with that report when the file does not hold all of the model, or nothing of it
 */
export function loadWeights(model: Module, file: TensorFile, options: LoadOptions = {}): LoadReport {
  const parameters = model.namedParameters().map(([name, { shape }]): NamedShape => [name, shape]);
  return executePlan(model, file, planLoad(parameters, file, options));
}

/**
 * Finds the tensors that hold the parameters of a model.
 * @throws VideomaeError with the report when the file does not hold all of the model, or nothing of it
 */
export function planLoad(
  parameters: readonly NamedShape[],
  file: TensorFile,
  { partial = false }: LoadOptions = {},
): LoadPlan {
  const names = detectLayout(file);
  const { layout, stored: inFile } = names;
  const has = (name: string) => inFile.has(name);
  const matches = new Map<string, readonly string[]>();
  const missing: string[] = [];
  const mismatched: Mismatch[] = [];
  const used = new Set<string>();
  for (const [name, own] of parameters) {
    const wanted = storedNames(layout, tableName(name), has);
    if (wanted === undefined || !wanted.every(has)) {
      missing.push(name);
      continue;
    }
    for (const part of wanted) used.add(part);
    const stored = wanted.map((part) => inFile.get(part)!);
    const shape = concatenatedShape(stored.map((part) => file.entry(part).shape));
    if (shape?.join() === own.join()) matches.set(name, stored);
    else mismatched.push({ name, model: own, stored: shape ?? file.entry(stored[0]).shape });
  }

  const rest = [...inFile.keys()].filter((name) => !used.has(name));
  const { inert, foreign } = lookAtRest(file, names, rest);
  const known = rest.filter((name) => !inert.has(name) && ourName(layout, name) !== undefined);
  const unknown = rest.filter((name) => !inert.has(name) && ourName(layout, name) === undefined);
  const inSource = (list: readonly string[]) => list.map((name) => inFile.get(name)!);
  const report: LoadReport = {
    path: file.path,
    layout: layout.name,
    title: layout.title,
    wrappers: names.wrappers,
    loaded: [...matches.keys()],
    missing,
    mismatched,
    unused: inSource(known),
    unknown: inSource(unknown),
    inert: new Map([...inert].map(([name, reason]) => [inFile.get(name)!, reason])),
    warnings: foreign.map(
      (name) => `the positional table "${name}" is not the sinusoid that this model family uses; it is not loaded`,
    ),
  };
  refuse(report, partial);
  return { report: { ...report, warnings: [...report.warnings, ...lostBiases(file, matches)] }, stored: matches };
}

/** Copies the planned values into a model with these parameters. Returns the report. */
export function executePlan(model: Module, file: TensorFile, { report, stored }: LoadPlan): LoadReport {
  for (const [name, { value }] of model.namedParameters()) {
    const parts = stored.get(name);
    if (parts === undefined) continue;
    const values = readParameter(file, parts);
    value.write(value.dtype === "f64" ? Float64Array.from(values) : values);
  }
  return report;
}

/** The shape of tensors put one after the other along the first axis; undefined when the other axes differ. */
function concatenatedShape(shapes: readonly (readonly number[])[]): number[] | undefined {
  if (shapes.length === 1) return [...shapes[0]];
  const [[, ...rest]] = shapes;
  if (shapes.some((shape) => shape.length === 0 || shape.slice(1).join() !== rest.join())) return undefined;
  return [shapes.reduce((sum, [rows]) => sum + rows, 0), ...rest];
}

/** Tensors that no parameter needs: those that change no output, and positional tables that are not ours. */
function lookAtRest(file: TensorFile, { layout, stored }: DetectedLayout, rest: readonly string[]) {
  const inert = new Map<string, string>();
  const foreign: string[] = [];
  const tables = [...layout.tables.encoder, ...layout.tables.decoder];
  for (const name of rest) {
    const reason = inertBecause(layout, name);
    if (reason !== undefined) inert.set(name, reason);
    if (!tables.includes(name)) continue;
    if (isSinusoid(file, stored.get(name)!)) inert.set(name, "the sinusoid that the model makes itself");
    else foreign.push(stored.get(name)!);
  }
  return { inert, foreign };
}

const tolerance: Readonly<Record<string, number>> = { F32: 1e-5, F64: 1e-5, F16: 1e-3, BF16: 8e-3 };

/** Whether a stored table (1, N, D) or (N, D) is the sinusoid over its N positions, up to the rounding of its dtype. */
function isSinusoid(file: TensorFile, name: string): boolean {
  const { dtype, shape } = file.entry(name);
  const [tokens, width] = shape.slice(-2);
  if (shape.length < 2 || shape.slice(0, -2).some((side) => side !== 1) || tolerance[dtype] === undefined) return false;
  const expected = sinusoid(tokens, width);
  return readFloats(file, name).every((value, i) => Math.abs(value - expected[i]) <= tolerance[dtype]);
}

function refuse(report: LoadReport, partial: boolean): void {
  const { loaded, missing, mismatched, unknown } = report;
  const whole = missing.length + mismatched.length + unknown.length === 0;
  if (whole || (partial && loaded.length > 0)) return;
  throw new VideomaeError({
    op: "load weights",
    expected: partial ? "a file that holds some of the model" : "a file that holds the whole model",
    got: describeReport(report),
    hint: partial
      ? "check that the file is of the same model size"
      : "check size and configuration; partial: true (--partial) takes what fits and leaves the rest as it is",
  });
}

/** The values of one parameter: those of its parts one after the other, row-major. */
export function readParameter(file: TensorFile, parts: readonly string[]): Float32Array {
  const counts = parts.map((part) => elementCount(file.entry(part).shape));
  const values = new Float32Array(counts.reduce((sum, count) => sum + count, 0));
  let at = 0;
  for (const [i, part] of parts.entries()) {
    readFloats(file, part, values.subarray(at, at + counts[i]));
    at += counts[i];
  }
  return values;
}

/** A warning when all q and v biases are zero. */
function lostBiases(file: TensorFile, stored: LoadPlan["stored"]): string[] {
  const biases = [...stored].filter(([name]) => /\.(q|v)_bias$/.test(name));
  const lost = ([, parts]: (typeof biases)[number]) => readParameter(file, parts).every((number) => number === 0);
  if (biases.length === 0 || !biases.every(lost)) return [];
  return [
    `all ${biases.length} q and v biases are zero. Trained weights never are: they were lost when the file was converted ` +
      "(a known fault of some libraries), and the model will perform worse than it should. Get the original file",
  ];
}
