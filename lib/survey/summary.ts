// A survey in figures: how much data there is, of what sizes and rates, and how much of it is bad.

import type { Survey } from "./survey.js";

/** The totals of a survey. */
export interface SurveySummary {
  readonly lines: number;
  readonly good: number;
  readonly bad: number;
  /** Fraction of the lines that a run would have to replace. */
  readonly badRate: number;
  /** Good lines that name a path once more. */
  readonly duplicates: number;
  /** Clips of one epoch: one for each good line and view. */
  readonly clipsPerEpoch: number;
  readonly frames: number;
  /** Of the videos that say how long they are. */
  readonly seconds: number;
  /** Good lines by size, commonest first: "340 x 256" -> 12. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Good videos by frames a second, rounded, commonest first. */
  readonly rates: Readonly<Record<string, number>>;
  /** Good lines by number of frames, in powers of two, shortest first. */
  readonly lengths: Readonly<Record<string, number>>;
  /** Lines by warning. */
  readonly warnings: Readonly<Record<string, number>>;
}

/**
 * Counts what a survey found.
 * @param views  clips taken of a video each time it is decoded
 */
export function summarize({ entries }: Pick<Survey, "entries">, views: number): SurveySummary {
  const good = entries.flatMap(({ probed }) => (probed.good ? [probed] : []));
  const bad = entries.length - good.length;
  return {
    lines: entries.length,
    good: good.length,
    bad,
    badRate: entries.length > 0 ? bad / entries.length : 0,
    duplicates: entries.filter(({ probed, duplicateOf }) => probed.good && duplicateOf !== undefined).length,
    clipsPerEpoch: good.length * views,
    frames: good.reduce((sum, { frames }) => sum + frames, 0),
    seconds: good.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0),
    sizes: counted(good.map(({ width, height }) => `${width} x ${height}`)),
    rates: counted(good.map(({ rate }) => (rate === undefined ? "unknown" : `${Number(rate.toFixed(2))}`))),
    lengths: counted(
      good
        .map(({ frames }) => frames)
        .sort((a, b) => a - b)
        .map(lengthClass),
      (counts) => counts,
    ),
    warnings: counted(entries.flatMap(({ warnings }) => warnings.map(warningKind))),
  };
}

type Counts = [word: string, count: number][];

/** How often each word occurs. */
function counted(words: readonly string[], order: (counts: Counts) => Counts = commonestFirst): Record<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries(order([...counts]));
}

function commonestFirst(counts: Counts): Counts {
  return counts.sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

function lengthClass(frames: number): string {
  const from = 2 ** Math.floor(Math.log2(frames));
  return from === 1 ? "1" : `${from} to ${2 * from - 1}`;
}

/** Warnings that name a path or a count are one kind. */
function warningKind(warning: string): string {
  if (warning.startsWith("the same path")) return "duplicate path";
  return warning.replace(/^\d+ (pictures missing).*$/, "$1");
}
