// Sources with classes: a list whose lines end in a class number (spec 4.2), or a folder with one sub-folder a class.

import { type Dirent, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { VideomaeError } from "../errors.js";
import { classNumber } from "./class-names.js";
import { hasVideoExtension } from "./list-line.js";
import { readSources, type SourceOptions } from "./lists.js";
import type { Source } from "./source.js";

/** A source of a known class. */
export type LabelledSource = Source & { readonly label: number };

/** No data set has more classes; a greater label is a mistake in the list. */
const MOST_CLASSES = 100_000;

/** What there is to learn from, or to be tested on. */
export interface LabelledSources {
  readonly sources: readonly LabelledSource[];
  /** Names by class number; "0", "1", ... where nothing names them. */
  readonly classes: readonly string[];
}

/** How labelled lists and folders are read. */
export interface LabelledOptions extends SourceOptions {
  /** Names by class number. Without them a list has as many classes as its greatest label says, a folder its sub-folders. */
  readonly classes?: readonly string[];
  /** Whether a class may be without clips: in a list to test on, not in one to learn from. Default false. */
  readonly allowEmptyClasses?: boolean;
}

/**
 * Reads sources and their classes.
 * @param path  a list whose every line has a class, or a folder whose sub-folders are the classes, in the order of their
 *   names' bytes unless `classes` gives another
 * @throws VideomaeError naming the line or the folder: no class on a line, a class out of range, a class without clips,
 *   a sub-folder that is no class, videos beside the sub-folders
 */
export function readLabelledSources(path: string, options: LabelledOptions = {}): LabelledSources {
  const { classes, allowEmptyClasses = false, ...how } = options;
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const found = isFolder ? fromFolder(path, classes) : fromList(path, classes, how);
  if (!allowEmptyClasses) refuseEmptyClasses(path, found);
  return found;
}

function fromList(list: string, classes: readonly string[] | undefined, how: SourceOptions): LabelledSources {
  const sources = readSources(list, how);
  const unlabelled = sources.find((source) => source.label === undefined);
  if (unlabelled !== undefined) {
    const labelled = sources.find((source) => source.label !== undefined);
    throw new VideomaeError({
      op: unlabelled.where,
      expected: 'a class number at the end of the line, as in "path label"',
      got: labelled === undefined ? "none" : `none, while ${labelled.where} has one`,
      hint: 'a folder of pictures needs "folder start total label", or "folder total label" with pictures: total-label',
    });
  }
  const known = sources as LabelledSource[];
  const greatest = known.reduce((most, { label }) => Math.max(most, label), 0);
  const count = classes?.length ?? Math.min(greatest + 1, MOST_CLASSES);
  const beyond = known.find(({ label }) => label >= count);
  if (beyond !== undefined) {
    throw new VideomaeError({
      op: beyond.where,
      expected: `a class from 0 to ${count - 1}${classes === undefined ? "" : `, as there are ${count} names`}`,
      got: `${beyond.label}`,
      hint: "classes are counted from 0; does the file of names belong to this list?",
    });
  }
  return { sources: known, classes: classes ?? Array.from({ length: count }, (_, i) => `${i}`) };
}

function fromFolder(folder: string, given: readonly string[] | undefined): LabelledSources {
  const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !name.startsWith("."));
  const stray = entries.find((entry) => !leadsToFolder(folder, entry) && hasVideoExtension(entry.name));
  if (stray !== undefined) {
    throw new VideomaeError({
      op: join(folder, stray.name),
      expected: "videos in sub-folders, one for each class",
      got: "a video beside them",
    });
  }
  const names = entries.filter((entry) => leadsToFolder(folder, entry)).map(({ name }) => name);
  if (names.length === 0) {
    throw new VideomaeError({ op: folder, expected: "sub-folders, one for each class", got: "none" });
  }
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const classes = given ?? names;
  const sources = names.flatMap((name) => {
    const label = classNumber(name, classes, join(folder, name));
    return readSources(join(folder, name)).map((source) => ({ ...source, label }));
  });
  return { sources, classes };
}

function leadsToFolder(folder: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return statSync(join(folder, entry.name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** @throws VideomaeError naming classes that no clip is of */
export function refuseEmptyClasses(path: string, { sources, classes }: LabelledSources): void {
  const clips = new Array<number>(classes.length).fill(0);
  for (const { label } of sources) clips[label]++;
  const empty = clips.flatMap((count, label) => (count === 0 ? [label] : []));
  if (empty.length === 0) return;
  const shown = empty.slice(0, 5).map((label) => `${label} ("${classes[label]}")`);
  throw new VideomaeError({
    op: path,
    expected: "clips of every class",
    got: `none of ${shown.join(", ")}${empty.length > shown.length ? ` and ${empty.length - shown.length} more` : ""}`,
    hint: "leave the class out of the names, or allow classes without clips",
  });
}
