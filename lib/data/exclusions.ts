// Videos to leave out of a data set by name: the quarantine list of an earlier run, or a text file. Nothing is left out
// unless such a list is named, because leaving videos out changes which clips a run sees.

import { resolve } from "node:path";
import { VideomaeError } from "../errors.js";
import { readText } from "./lists.js";
import { type Source, sourceKey, sourcePath } from "./source.js";

/**
 * The files named in a list: a path a line, or a JSON object a line whose `path` is one (and whose `start` and `total`,
 * where it has them, name a stretch of a folder of pictures). Relative paths start from the working directory.
 * @returns  paths and keys of sources
 * @throws VideomaeError that names the line
 */
export function readExclusions(list: string): Set<string> {
  const named = new Set<string>();
  for (const [i, raw] of readText(list)
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    if (!line.startsWith("{")) {
      named.add(resolve(line));
      continue;
    }
    const { path, start, total } = parseRecord(line, `${list}:${i + 1}`);
    named.add(start === undefined ? resolve(path) : `${resolve(path)}\t${start}\t${total}`);
  }
  return named;
}

/** Whether a list of `readExclusions` names a source. */
export function isExcluded(source: Source, named: ReadonlySet<string>): boolean {
  return named.has(sourcePath(source)) || named.has(sourceKey(source));
}

function parseRecord(line: string, where: string): { path: string; start?: number; total?: number } {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch (cause) {
    throw new VideomaeError({ op: where, expected: "a path, or a JSON object", got: line.slice(0, 80), cause });
  }
  const { path, start, total } = record as { path: unknown; start: unknown; total: unknown };
  const numbers = start === undefined ? total === undefined : Number.isInteger(start) && Number.isInteger(total);
  if (typeof path === "string" && numbers) return record as { path: string; start?: number; total?: number };
  throw new VideomaeError({ op: where, expected: "a JSON object with a path", got: line.slice(0, 80) });
}
