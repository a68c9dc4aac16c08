// What a run reads: one folder, list or video, or a mixture of several with a share for each. A mixture is an array in a
// script, and on the command line a file that ends in `.json` and holds such an array; paths in it start from its folder.
//
// Shares are relative: weights 3 and 1 make three clips of the first source for one of the second. Without weights a
// source's weight is the number of its clips, so that an epoch shows each clip once. Some with and some without would
// mix two scales, and is an error.

import { dirname, resolve } from "node:path";
import { rejectUnknownOptions, VideomaeError } from "../errors.js";
import { isExcluded, readExclusions } from "./exclusions.js";
import { MOST_SOURCES } from "./interleave.js";
import { readSources, readText, type SourceOptions } from "./lists.js";
import type { Source } from "./source.js";

/** One source of a mixture. Options left out are those of the whole. */
export interface DataSource extends SourceOptions {
  /** A folder, a list file, or one video. */
  readonly path: string;
  /** Relative share of the clips, above 0: given for every source or for none. */
  readonly weight?: number;
  /** Video frames from one clip frame to the next. */
  readonly stride?: number;
  /** What reports call it; default: its path. */
  readonly name?: string;
}

/** What to read: a path, or a mixture. */
export type DataSpec = string | readonly (string | DataSource)[];

/** A source of a mixture as it was read: `count` clips from number `first` on. */
export interface DatasetPart {
  readonly name: string;
  readonly first: number;
  readonly count: number;
  /** Fraction of the clips of an epoch. */
  readonly share: number;
}

export interface Mixture {
  readonly sources: readonly Source[];
  readonly parts: readonly DatasetPart[];
  /** How many videos were left out because a list of exclusions names them. */
  readonly excluded: number;
}

/** How data is read. */
export interface DataOptions extends SourceOptions {
  /** A list of files to leave out: see `readExclusions`. */
  readonly exclude?: string;
}

const FIELDS = ["path", "weight", "stride", "name", "root", "framesTemplate", "pictures", "startIndex"];

/**
 * Reads the sources of a mixture, in order.
 * @param readPart  reads one of its sources
 * @throws VideomaeError that names the source (`data[1].weight`), or what `readPart` throws
 */
export function readMixture(
  spec: DataSpec,
  { exclude, ...options }: DataOptions = {},
  readPart: (path: string, options: SourceOptions) => Source[] = readSources,
): Mixture {
  const given = typeof spec === "string" ? (spec.endsWith(".json") ? readMixtureFile(spec) : [spec]) : spec;
  const listed = given.map((source, i) => checked(typeof source === "string" ? { path: source } : source, i));
  if (listed.length === 0 || listed.length > MOST_SOURCES) {
    throw new VideomaeError({ op: "data", expected: `1 to ${MOST_SOURCES} sources`, got: `${listed.length}` });
  }
  const named = exclude === undefined ? new Set<string>() : readExclusions(exclude);
  const sources: Source[] = [];
  let excluded = 0;
  const read = listed.map(({ path, weight, stride, name = path, ...own }) => {
    const first = sources.length;
    const found = readPart(path, { ...options, ...own });
    const kept = named.size === 0 ? found : found.filter((source) => !isExcluded(source, named));
    if (kept.length === 0) throw allExcluded(path, found.length, exclude);
    for (const source of kept) sources.push(stride === undefined ? source : { ...source, stride });
    excluded += found.length - kept.length;
    return { name, first, count: kept.length, weight };
  });
  return { sources, parts: withShares(read), excluded };
}

/** One part for sources that are no mixture. */
export function wholePart(count: number): DatasetPart {
  return { name: "data", first: 0, count, share: 1 };
}

type Weighted = Omit<DatasetPart, "share"> & { readonly weight?: number };

/** Shares out of weights, or out of counts where there are none. */
function withShares(parts: readonly Weighted[]): DatasetPart[] {
  const without = parts.findIndex(({ weight }) => weight === undefined);
  if (without >= 0 && parts.some(({ weight }) => weight !== undefined)) {
    throw new VideomaeError({
      op: `data[${without}].weight`,
      expected: "a weight for every source, or for none",
      got: `none for ${parts[without].name}`,
    });
  }
  const weights = parts.map(({ weight, count }) => weight ?? count);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return parts.map(({ name, first, count }, i) => ({ name, first, count, share: weights[i] / total }));
}

function allExcluded(path: string, count: number, list: string | undefined): VideomaeError {
  const hint = "is it the right list of files to leave out?";
  return new VideomaeError({
    op: path,
    expected: "a video that is not left out",
    got: `all ${count} named by ${list}`,
    hint,
  });
}

function readMixtureFile(path: string): (string | DataSource)[] {
  const text = readText(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new VideomaeError({ op: path, expected: "JSON", got: (cause as Error).message, cause });
  }
  if (!Array.isArray(value)) {
    const example = '[{"path": "a.csv", "weight": 3}, {"path": "b/", "weight": 1}]';
    throw new VideomaeError({ op: path, expected: `an array of sources, such as ${example}`, got: typeof value });
  }
  const base = dirname(resolve(path));
  return value.map((source) => {
    if (typeof source === "string") return resolve(base, source);
    if (typeof source?.path !== "string") return source;
    const root = typeof source.root === "string" ? { root: resolve(base, source.root) } : {};
    return { ...source, ...root, name: source.name ?? source.path, path: resolve(base, source.path) };
  });
}

function checked(source: DataSource, i: number): DataSource {
  const fail = (field: string, expected: string, got: unknown): never => {
    throw new VideomaeError({ op: `data[${i}]${field}`, expected, got: JSON.stringify(got) ?? "nothing" });
  };
  if (typeof source !== "object" || source === null || Array.isArray(source)) {
    fail("", "a path, or an object with one", source);
  }
  rejectUnknownOptions(`data[${i}]`, source, FIELDS);
  const { path, weight, stride, startIndex, pictures } = source;
  if (typeof path !== "string" || path === "") fail(".path", "a path", path);
  if (path.endsWith(".json")) fail(".path", "a folder, a list file or a video, not another mixture", path);
  if (weight !== undefined && !(Number.isFinite(weight) && weight > 0)) fail(".weight", "a number above 0", weight);
  for (const [field, value] of Object.entries({ stride, startIndex })) {
    const least = field === "stride" ? 1 : 0;
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= least)) {
      fail(`.${field}`, `an integer of at least ${least}`, value);
    }
  }
  for (const field of ["name", "root", "framesTemplate"] as const) {
    if (source[field] !== undefined && typeof source[field] !== "string") fail(`.${field}`, "a text", source[field]);
  }
  if (pictures !== undefined && pictures !== "start-total" && pictures !== "total-label") {
    fail(".pictures", '"start-total" or "total-label"', pictures);
  }
  return source;
}
