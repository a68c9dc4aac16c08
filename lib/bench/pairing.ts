// Which rows are compared, and how: rows of equal identity on one machine. Of each system its best variant counts, in
// every round anew: the one whose median is least. The ratio is the other side's median over ours; where both sides have
// the same rounds it is taken round by round, since a shared machine changes from minute to minute, and the median of
// those ratios counts.
import { identity, machineOf, type TimedRow } from "./row.js";

/** One side of a comparison at one identity. */
export interface Side {
  /** The best row of each round; rows without a round are one round. */
  readonly rows: readonly TimedRow[];
  /** Median over the rounds. */
  readonly medianMs: number;
  /** The fastest single run of any variant in any round: what a busy machine disturbs least. */
  readonly minMs: number;
}

export interface Pair {
  readonly identity: string;
  readonly machines: readonly string[];
  readonly ours: Side;
  readonly theirs: Side;
  /** Their time over our time: above 1, ours is faster. */
  readonly ratio: number;
  /** Least and greatest ratio of one round; undefined when rounds do not match or there is only one. */
  readonly spread: readonly [number, number] | undefined;
  /** The same of the fastest single runs. */
  readonly fastest: number;
}

export interface Comparison {
  readonly pairs: readonly Pair[];
  /** Rows without a partner. */
  readonly unpaired: readonly TimedRow[];
  /** Identities that both sides have, but on different machines. */
  readonly apart: readonly { identity: string; ours: string; theirs: string }[];
}

/**
 * Compares two sets of rows.
 * @param force  compare across machines too
 */
export function compareRows(ours: readonly TimedRow[], theirs: readonly TimedRow[], force = false): Comparison {
  const key = (row: TimedRow) => (force ? identity(row) : `${identity(row)}\n${machineOf(row)}`);
  const [left, right] = [groupBy(ours, key), groupBy(theirs, key)];
  const shared = [...left.keys()].filter((k) => right.has(k));
  const pairs = shared.map((k) => pair(left.get(k)!, right.get(k)!));
  const alone = (groups: Map<string, TimedRow[]>) =>
    [...groups].filter(([k]) => !shared.includes(k)).flatMap(([, r]) => r);
  const [leftAlone, rightAlone] = [alone(left), alone(right)];
  const elsewhere = groupBy(rightAlone, identity);
  const apart = [...groupBy(leftAlone, identity)]
    .filter(([id]) => elsewhere.has(id))
    .map(([id, rows]) => ({ identity: id, ours: machineNames(rows), theirs: machineNames(elsewhere.get(id)!) }));
  const named = new Set(apart.map(({ identity: id }) => id));
  return { pairs, unpaired: [...leftAlone, ...rightAlone].filter((row) => !named.has(identity(row))), apart };
}

/** The best row of each round. */
export function bestSide(rows: readonly TimedRow[]): Side {
  const rounds = [...groupBy(rows, ({ round }) => String(round)).values()];
  const best = rounds.map((own) => own.reduce((a, b) => (b.medianMs < a.medianMs ? b : a)));
  return {
    rows: best,
    medianMs: median(best.map((row) => row.medianMs)),
    minMs: Math.min(...rows.map((row) => row.minMs)),
  };
}

/** The row of a side that stands for it: the one nearest its median. */
export function middleRow({ rows, medianMs }: Side): TimedRow {
  const distance = (row: TimedRow) => Math.abs(row.medianMs - medianMs);
  return rows.reduce((a, b) => (distance(b) < distance(a) ? b : a));
}

/** Ratio of two sides, and its spread over the rounds. */
export function ratioOf(ours: Side, theirs: Side): Pick<Pair, "ratio" | "spread" | "fastest"> {
  const fastest = theirs.minMs / ours.minMs;
  const other = new Map(theirs.rows.map((row) => [row.round, row.medianMs]));
  const ratios = ours.rows.filter((row) => other.has(row.round)).map((row) => other.get(row.round)! / row.medianMs);
  if (ratios.length < Math.max(ours.rows.length, theirs.rows.length))
    return { ratio: theirs.medianMs / ours.medianMs, spread: undefined, fastest };
  const spread = ratios.length > 1 ? ([Math.min(...ratios), Math.max(...ratios)] as const) : undefined;
  return { ratio: median(ratios), spread, fastest };
}

/**
 * Bytes that a step needs beyond what it must hold in any case: the most resident memory, less that of the process after
 * its imports, less the states of a parameter (f32 value, gradient and two moments, 16 bytes; its bf16 copy, 2 more). Of
 * the rows of a side the least counts. Undefined where a row does not say.
 */
export function workingBytes({ rows }: Side): number | undefined {
  const bytes = rows.flatMap((row) => {
    if (row.bench !== "step" || !row.residentBytes || !row.startBytes || !row.parameters) return [];
    return [row.residentBytes - row.startBytes - (row.dtype === "bf16" ? 18 : 16) * row.parameters];
  });
  return bytes.length > 0 ? Math.min(...bytes) : undefined;
}

/** A variant as text, e.g. "compile=default graph=true". */
export function variantText({ variant = {} }: TimedRow): string {
  return Object.entries(variant)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(" ");
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

function pair(left: TimedRow[], right: TimedRow[]): Pair {
  const [ours, theirs] = [bestSide(left), bestSide(right)];
  const machines = [...new Set([...ours.rows, ...theirs.rows].map(machineOf))];
  return { identity: identity(left[0]), machines, ours, theirs, ...ratioOf(ours, theirs) };
}

function machineNames(rows: readonly TimedRow[]): string {
  return [...new Set(rows.map(machineOf))].join(" and ");
}
