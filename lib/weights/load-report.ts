// What became of every tensor when weights were loaded into a model.

import { blockNumber, type LayoutName } from "./layouts.js";

/** A parameter whose stored shape is not the model's. */
export interface Mismatch {
  readonly name: string;
  readonly model: readonly number[];
  readonly stored: readonly number[];
}

/** What became of the tensors of a file and of the parameters of a model. */
export interface LoadReport {
  readonly path: string;
  readonly layout: LayoutName;
  /** For people: "official fine-tuned checkpoint". */
  readonly title: string;
  /** Prefixes taken off every name, e.g. `model.`. */
  readonly wrappers: readonly string[];
  /** Parameters of the model that got their values from the file. */
  readonly loaded: readonly string[];
  /** Parameters of the model that the file does not hold. */
  readonly missing: readonly string[];
  /** Parameters of another shape in the file; they keep the values they had. */
  readonly mismatched: readonly Mismatch[];
  /** Tensors of the file that are parameters of a part this model does not have: a decoder, a head. By their stored names. */
  readonly unused: readonly string[];
  /** Tensors of the file that are nothing we know. By their stored names. */
  readonly unknown: readonly string[];
  /** Tensors that change no output, with the reason: key biases, the positional table that the model makes itself. */
  readonly inert: ReadonlyMap<string, string>;
  /** What a user must know: each a sentence. */
  readonly warnings: readonly string[];
}

/** The report in a few lines: counts, and names with blocks folded into ranges. */
export function describeReport(report: LoadReport): string {
  const { loaded, missing, mismatched, unused, unknown, inert, warnings } = report;
  const wrappers = report.wrappers.length > 0 ? ` (without ${report.wrappers.join(", ")})` : "";
  const lines = [`${report.path}: ${report.title}${wrappers}; ${loaded.length} parameters loaded`];
  const list = (title: string, names: readonly string[]) => {
    if (names.length > 0) lines.push(`  ${title} ${names.length}: ${foldNames(names).join(", ")}`);
  };
  list("missing", missing);
  if (mismatched.length > 0) {
    const shapes = mismatched.map(({ name, model, stored }) => `${name} [${stored}] where the model has [${model}]`);
    lines.push(
      `  mismatched ${mismatched.length}: ${shapes.slice(0, 4).join(", ")}${shapes.length > 4 ? ", ..." : ""}`,
    );
  }
  list("not needed", unused);
  list("unknown", unknown);
  for (const [reason, names] of byReason(inert)) {
    lines.push(`  left out ${names.length}: ${foldNames(names).join(", ")} (${reason})`);
  }
  for (const warning of warnings) lines.push(`  WARNING: ${warning}`);
  return lines.join("\n");
}

function byReason(inert: ReadonlyMap<string, string>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [name, reason] of inert) groups.set(reason, [...(groups.get(reason) ?? []), name]);
  return groups;
}

const SHOWN = 8;

/** Names that differ in one number become one with a range: `blocks.{0-11}.norm1.bias`. At most a few are listed. */
export function foldNames(names: readonly string[]): string[] {
  const groups = new Map<string, number[]>();
  for (const name of names) {
    const number = blockNumber.exec(name)?.[0];
    const pattern = name.replace(blockNumber, "#");
    groups.set(pattern, [...(groups.get(pattern) ?? []), ...(number === undefined ? [] : [Number(number)])]);
  }
  const folded = [...groups].map(([pattern, numbers]) => pattern.replace("#", ranges(numbers)));
  return folded.length > SHOWN ? [...folded.slice(0, SHOWN), `... ${folded.length - SHOWN} more kinds`] : folded;
}

function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const runs: [first: number, last: number][] = [];
  for (const n of sorted) {
    const run = runs.at(-1);
    if (run !== undefined && n === run[1] + 1) run[1] = n;
    else runs.push([n, n]);
  }
  if (sorted.length === 1) return String(sorted[0]);
  return `{${runs.map(([a, b]) => (a === b ? a : `${a}-${b}`)).join(",")}}`;
}
