// Which rows are compared, and how: rows of equal identity on one machine. Of each system its best variant counts, the
// one whose median over the rounds is least. The ratio is the other side's median over ours; where both sides have the
// same rounds it is taken round by round, since a shared machine changes from minute to minute, and the median of those
// ratios counts.
import { identity, machineOf, type TimedRow } from "./row.js";

/** The rows of one side of a comparison at one identity: the best variant's, one a round. */
export interface Side {
  readonly rows: readonly TimedRow[];
  /** Median over the rounds of the rounds' medians. */
  readonly medianMs: number;
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

/** The variant whose median is least. */
export function bestSide(rows: readonly TimedRow[]): Side {
  const sides = [...groupBy(rows, variantText).values()].map((own) => ({
    rows: own,
    medianMs: median(own.map((row) => row.medianMs)),
  }));
  return sides.reduce((best, side) => (side.medianMs < best.medianMs ? side : best));
}

/** Ratio of two sides, and its spread over the rounds. */
export function ratioOf(ours: Side, theirs: Side): Pick<Pair, "ratio" | "spread"> {
  const other = new Map(theirs.rows.map((row) => [row.round, row.medianMs]));
  const matched = ours.rows.filter((row) => row.round !== undefined && other.has(row.round));
  if (matched.length < ours.rows.length || other.size !== ours.rows.length || theirs.rows.length !== other.size)
    return { ratio: theirs.medianMs / ours.medianMs, spread: undefined };
  const ratios = matched.map((row) => other.get(row.round)! / row.medianMs);
  return { ratio: median(ratios), spread: ratios.length > 1 ? [Math.min(...ratios), Math.max(...ratios)] : undefined };
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
