// A clean list out of a survey, in the official form: every line that can be used, each path once.

import { dirname, resolve } from "node:path";
import { officialLine } from "../data/list-line.js";
import { sourcePath } from "../data/source.js";
import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "../io/atomic-file.js";
import type { Survey, SurveyedEntry } from "./survey.js";

/** What `writeCleanList` kept and left out. */
export interface CleanList {
  readonly kept: number;
  /** Lines left out, and why. */
  readonly dropped: readonly { readonly where: string; readonly reason: string }[];
}

/**
 * Writes the good lines of a survey. Relative paths of a list stay as they are where they would lead to the same files;
 * elsewhere paths become absolute.
 * @param file  the list to write
 * @param from  what was surveyed, and the root its paths start from, if one was given
 * @throws VideomaeError when no line is good, the survey was interrupted, or the file cannot be written
 */
export function writeCleanList(file: string, survey: Survey, from: { data: string; root?: string }): CleanList {
  const fail = (expected: string, got: string): never => {
    throw new VideomaeError({ op: `clean list ${file}`, expected, got });
  };
  if (survey.interrupted) fail("a survey of the whole list", `${survey.entries.length} of ${survey.total} lines`);
  const dropped = survey.entries.flatMap((entry) => {
    const reason = whyDropped(entry);
    return reason === undefined ? [] : [{ where: entry.where, reason }];
  });
  const kept = survey.entries.filter((entry) => whyDropped(entry) === undefined);
  if (kept.length === 0) fail("at least one line that can be used", `none of ${survey.total}`);
  const sameBase = from.root !== undefined || resolve(dirname(file)) === resolve(dirname(from.data));
  const lines = kept.map(({ written, source, label }) =>
    officialLine(sameBase ? written : sourcePath(source!), source!, label),
  );
  writeFileAtomic(file, (sink) => sink(new TextEncoder().encode(`${lines.join("\n")}\n`)));
  return { kept: kept.length, dropped };
}

function whyDropped({ probed, duplicateOf }: SurveyedEntry): string | undefined {
  if (!probed.good) return probed.reason;
  return duplicateOf === undefined ? undefined : `the same path as ${duplicateOf}`;
}
