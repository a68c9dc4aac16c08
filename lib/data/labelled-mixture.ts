// What a classifier learns from: a labelled list, a folder of classes, or a mixture of several that share their classes.

import { VideomaeError } from "../errors.js";
import { type LabelledSource, readLabelledSources, refuseEmptyClasses } from "./labelled-sources.js";
import { type DataOptions, type DataSpec, type Mixture, readMixture } from "./mixture.js";
import type { Source } from "./source.js";

/** A mixture whose every clip has a class. */
export interface LabelledMixture extends Mixture {
  readonly sources: readonly LabelledSource[];
  /** Names by class number. */
  readonly classes: readonly string[];
  /** Whether these are names, not numbers that stand for them. */
  readonly named: boolean;
}

export interface LabelledMixtureOptions extends DataOptions {
  /** Names by class number, for lists; a folder's sub-folders are then looked up among them. */
  readonly classes?: readonly string[];
}

/**
 * Reads labelled sources, in order.
 * @throws VideomaeError what `readMixture` and `readLabelledSources` throw; for sources whose classes differ; for a class
 *   without clips in all of them
 */
export function readLabelledMixture(spec: DataSpec, options: LabelledMixtureOptions = {}): LabelledMixture {
  const { classes: given, ...how } = options;
  const read: { path: string; classes: readonly string[] }[] = [];
  const readPart = (path: string, part: DataOptions): Source[] => {
    const { sources, classes } = readLabelledSources(path, { ...part, classes: given, allowEmptyClasses: true });
    read.push({ path, classes });
    return [...sources];
  };
  const mixture = readMixture(spec, how, readPart);
  const sources = mixture.sources as LabelledSource[];
  const classes = given ?? commonClasses(read);
  refuseEmptyClasses(read.map(({ path }) => path).join(", "), { sources, classes });
  return { ...mixture, sources, classes, named: !isNumbered(classes) };
}

/** Whether classes are called by their numbers, as where nothing names them. */
export function isNumbered(classes: readonly string[]): boolean {
  return classes.every((name, i) => name === `${i}`);
}

/** Of lists without names the longest; others must have the same. */
function commonClasses(read: readonly { path: string; classes: readonly string[] }[]): readonly string[] {
  const longest = read.reduce((a, b) => (b.classes.length > a.classes.length ? b : a));
  const other = read.find(({ classes }) => {
    if (isNumbered(classes) && isNumbered(longest.classes)) return false;
    return classes.join("\n") !== longest.classes.join("\n");
  });
  if (other === undefined) return longest.classes;
  const apart = longest.classes.find((name) => !other.classes.includes(name));
  throw new VideomaeError({
    op: other.path,
    expected: `the classes of ${longest.path}`,
    got: apart === undefined ? "the same in another order" : `none called "${apart}"`,
    hint: "name the classes (--classes), or merge the data sets (videomae merge-lists)",
  });
}
