// A survey of a list or a folder before a run: every line is tried, and told of with what is wrong or unusual about it.

import type { SourceOptions } from "../data/lists.js";
import { sourcePath } from "../data/source.js";
import { VideomaeError } from "../errors.js";
import { type Entry, readEntries } from "./entries.js";
import type { Probed, ProbeOptions } from "./probe.js";
import { type PoolOptions, probeAll } from "./probe-pool.js";

/** One line, and what came of it. */
export interface SurveyedEntry extends Entry {
  readonly probed: Probed;
  /** What is unusual, of the source and of the line. */
  readonly warnings: readonly string[];
  /** The line that named the same path before. */
  readonly duplicateOf: string | undefined;
}

/** How `survey` reads and tries a list. */
export interface SurveyOptions extends SourceOptions, ProbeOptions, PoolOptions {
  /** Called after every source. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What `survey` found, line by line. */
export interface Survey {
  /** In the order of the list; when interrupted, only those that were reached. */
  readonly entries: readonly SurveyedEntry[];
  /** Lines there are. */
  readonly total: number;
  readonly interrupted: boolean;
  /** What is unusual about the list as a whole. */
  readonly warnings: readonly string[];
}

/**
 * Tries every line of a list, or file of a folder.
 * @throws VideomaeError when there is no such list or folder, nothing in it, or no decoder
 */
export async function survey(data: string, options: SurveyOptions): Promise<Survey> {
  checkCounts(options);
  const entries = readEntries(data, options);
  const readable = entries.flatMap((entry, i) => (entry.source ? [{ source: entry.source, i }] : []));
  const probed = new Map<number, Probed>();
  for (const [i, { error }] of entries.entries()) {
    if (error !== undefined) probed.set(i, { good: false, reason: error });
  }
  const sources = readable.map(({ source }) => source);
  const { frames, stride, thorough, decoder } = options;
  for await (const { index, probed: result } of probeAll(sources, { frames, stride, thorough, decoder }, options)) {
    probed.set(readable[index].i, result);
    options.onProgress?.(probed.size, entries.length);
  }
  const firstAt = new Map<string, string>();
  const surveyed = entries.flatMap((entry, i): SurveyedEntry[] => {
    const result = probed.get(i);
    if (result === undefined) return [];
    const key = entry.source && `${entry.source.kind} ${sourcePath(entry.source)}`;
    const duplicateOf = key === undefined ? undefined : firstAt.get(key);
    if (key !== undefined && duplicateOf === undefined) firstAt.set(key, entry.where);
    const warnings = [
      ...(duplicateOf ? [`the same path as ${duplicateOf}`] : []),
      ...(result.good ? result.warnings : []),
    ];
    return [{ ...entry, probed: result, warnings, duplicateOf }];
  });
  const interrupted = surveyed.length < entries.length;
  return { entries: surveyed, total: entries.length, interrupted, warnings: labelWarnings(entries) };
}

/** Labels that are missing on some lines, or skipped: often a list put together wrongly. */
function labelWarnings(entries: readonly Entry[]): string[] {
  const labels = entries.flatMap(({ label }) => (label === undefined ? [] : [label]));
  if (labels.length === 0) return [];
  const seen = new Set(labels);
  const highest = labels.reduce((a, b) => Math.max(a, b), 0);
  const bounded = Math.min(highest, 100_000);
  const skipped = Array.from({ length: bounded + 1 }, (_, i) => i).filter((i) => !seen.has(i));
  const negative = labels.filter((label) => label < 0).length;
  return [
    ...(labels.length < entries.length
      ? [`${entries.length - labels.length} lines without a label, the others have one`]
      : []),
    ...(negative > 0 ? [`${negative} labels below 0`] : []),
    ...(skipped.length > 0
      ? [
          `${skipped.length} labels between 0 and ${highest} on no line: ${skipped.slice(0, 10).join(", ")}${skipped.length > 10 ? ", ..." : ""}`,
        ]
      : []),
  ];
}

function checkCounts({ workers, timeout, frames, stride }: SurveyOptions): void {
  for (const [name, value] of Object.entries({ workers, frames, stride })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new VideomaeError({ op: `survey ${name}`, expected: "an integer of at least 1", got: String(value) });
  }
  if (!(timeout > 0 && Number.isFinite(timeout)))
    throw new VideomaeError({ op: "survey timeout", expected: "seconds above 0", got: String(timeout) });
}
