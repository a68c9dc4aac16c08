// The lines of a list, or the files of a folder, one by one: a line that cannot be read is an entry that says why, so
// that a survey tells of all of them where a run would stop at the first.

import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { hasVideoExtension, parseLine } from "../data/list-line.js";
import { readSources, type SourceOptions } from "../data/lists.js";
import { type Source, sourcePath } from "../data/source.js";

/** One line, or one file of a folder. */
export interface Entry {
  /** `list.csv:12`, or the file's path. */
  readonly where: string;
  /** The path as the list has it. */
  readonly written: string;
  /** The label at the end of the line, where there is one. */
  readonly label: number | undefined;
  readonly source: Source | undefined;
  /** Why the line names no source. */
  readonly error: string | undefined;
}

const DEFAULT_TEMPLATE = "img_{:05}.jpg";

/**
 * Reads the entries that `path` names.
 * @throws VideomaeError when it is no list, folder or video, or when there is nothing in it
 */
export function readEntries(path: string, options: SourceOptions = {}): Entry[] {
  const isList = statSync(path, { throwIfNoEntry: false })?.isFile() && !hasVideoExtension(path);
  if (!isList) {
    return readSources(path, options).map((source) => {
      const written = sourcePath(source);
      return { where: source.where, written, label: undefined, source, error: undefined };
    });
  }
  const base = resolve(options.root ?? dirname(path));
  const entries: Entry[] = [];
  const text = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  for (const [i, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const line = raw.trim();
    if (line !== "" && !line.startsWith("#")) entries.push(readEntry(line, `${path}:${i + 1}`, base, options));
  }
  if (entries.length === 0) readSources(path, options); // refuses an empty list in the words that a run would use
  return entries;
}

function readEntry(line: string, where: string, base: string, options: SourceOptions): Entry {
  const { framesTemplate: template = DEFAULT_TEMPLATE, pictures, startIndex } = options;
  let written = "";
  const absolute = (path: string) => {
    written = path;
    return resolve(base, path);
  };
  try {
    const source = parseLine(line, where, { template, pictures, startIndex, resolvePath: absolute });
    return { where, written, label: source.label, source, error: undefined };
  } catch (error) {
    return {
      where,
      written: line,
      label: undefined,
      source: undefined,
      error: (error as Error).message.replace(`${where}: `, ""),
    };
  }
}
