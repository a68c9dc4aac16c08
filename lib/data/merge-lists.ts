// Labelled data sets in one: classes merged by name, each recording once, and none to learn from that is tested on.

import { VideomaeError } from "../errors.js";
import type { LabelledSource } from "./labelled-sources.js";
import { type MergedClasses, mergeClasses } from "./merge-classes.js";
import { type Identity, identityKeys } from "./video-identity.js";

/** A data set to be merged. */
export interface LabelledSet {
  readonly name: string;
  readonly classes: readonly string[];
  readonly train: readonly LabelledSource[];
  readonly test: readonly LabelledSource[];
}

/** Why a line is not in the merged list. */
export interface LeftOut {
  readonly where: string;
  readonly reason: string;
}

/** The outcome; labels are merged class numbers. */
export interface MergedSets extends MergedClasses {
  readonly train: readonly LabelledSource[];
  readonly test: readonly LabelledSource[];
  readonly leftOut: readonly LeftOut[];
}

/** Options of `mergeSets`. */
export interface MergeOptions {
  /** Old class names to the ones that stay. */
  readonly same?: Readonly<Record<string, string>>;
  /** What makes two lines the same recording. Default path and youtube. */
  readonly identity?: readonly Identity[];
  /** Called after each line of a list. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Merges data sets. A recording that several lists test on, or learn from, stays where it stands first; one of a test
 * list is learnt from nowhere.
 * @throws VideomaeError when two sets have one name, a class cannot be merged, or nothing is left to learn from
 */
export function mergeSets(sets: readonly LabelledSet[], options: MergeOptions = {}): MergedSets {
  const { same = {}, identity = ["path", "youtube"], onProgress = () => {} } = options;
  const twice = sets.find(({ name }, i) => sets.findIndex((other) => other.name === name) !== i);
  if (twice)
    throw new VideomaeError({ op: "merge", expected: "data sets of different names", got: `"${twice.name}" twice` });
  const merged = mergeClasses(sets, same);
  const total = sets.reduce((sum, { train, test }) => sum + train.length + test.length, 0);
  let done = 0;
  const seen = new Map<string, Seen>();
  const leftOut: LeftOut[] = [];
  const collect = (part: "test" | "train") =>
    sets.flatMap((set, s) =>
      set[part].flatMap((source) => {
        const renumbered = { ...source, label: merged.maps[s][source.label] };
        const keys = identityKeys(source, identity);
        const before = keys.map((key) => seen.get(key)).find((found) => found !== undefined);
        onProgress(++done, total);
        if (before === undefined) {
          for (const key of keys) seen.set(key, { part, where: source.where, label: renumbered.label });
          return [renumbered];
        }
        leftOut.push({ where: source.where, reason: reasonOf(before, part, renumbered.label, merged.classes) });
        return [];
      }),
    );
  const test = collect("test"); // first, so that what is tested on is known
  const train = collect("train");
  if (train.length === 0) {
    throw new VideomaeError({ op: "merge", expected: "clips to learn from", got: "none that are not tested on" });
  }
  return { ...merged, train, test, leftOut };
}

interface Seen {
  readonly part: "test" | "train";
  readonly where: string;
  readonly label: number;
}

function reasonOf(before: Seen, part: "test" | "train", label: number, classes: readonly string[]): string {
  const where = before.part === part ? `the same recording as ${before.where}` : `tested on in ${before.where}`;
  return before.label === label ? where : `${where}, as "${classes[before.label]}" there and "${classes[label]}" here`;
}
