// Rows of now against those of an earlier file: which are about the same work under the same conditions, by how much they
// differ, and whether that is more than noise. Rows that do not match are refused with what differs, never compared.
import { workName } from "./described.js";
import { isDisturbed, noiseOf } from "./noise-of.js";
import { bestSide, groupBy } from "./pairing.js";
import { identityFields, isTimed, type Row, type TimedRow } from "./row.js";

/** One piece of work in two runs. */
export interface Compared {
  readonly system: TimedRow["system"];
  readonly bench: TimedRow["bench"];
  readonly work: string;
  readonly earlierMs: number;
  readonly nowMs: number;
  /** Earlier median over that of now: above 1 it is faster now. */
  readonly ratio: number;
  /** That of both sides, added up, as a part of their medians. */
  readonly noise: number;
  /** "disturbed": other programs kept the machine busy, so a difference means nothing. */
  readonly verdict: "faster" | "slower" | "within noise" | "disturbed";
}

/** Work that cannot be compared, and why. */
export interface Refused {
  readonly system: TimedRow["system"];
  readonly bench: TimedRow["bench"];
  readonly work: string;
  /** E.g. "dtype bf16 there, f32 here". */
  readonly reasons: readonly string[];
}

/** Rows of two runs beside each other, and those that must not be compared. */
export interface Verdicts {
  readonly compared: readonly Compared[];
  readonly refused: readonly Refused[];
}

/** @param acrossVersions  compares rows of other versions too, which is how one sees what a version has changed */
export function compareBenchmarks(
  now: readonly Row[],
  earlier: readonly Row[],
  { acrossVersions = false }: { acrossVersions?: boolean } = {},
): Verdicts {
  const compared: Compared[] = [];
  const refused: Refused[] = [];
  const before = groupBy(earlier.filter(isTimed), workKey);
  for (const [key, rows] of groupBy(
    now.filter(isTimed),
    (row) => `${workKey(row)}\n${conditions(row, acrossVersions)}`,
  )) {
    const [row] = rows;
    const named = { system: row.system, bench: row.bench, work: workName(row) };
    const candidates = before.get(key.split("\n")[0]) ?? [];
    const same = candidates.filter((other) => differences(row, other, acrossVersions).length === 0);
    if (same.length > 0) compared.push({ ...named, ...verdictOf(rows, same) });
    else refused.push({ ...named, reasons: nearestDifferences(row, candidates, acrossVersions) });
  }
  return { compared, refused };
}

function verdictOf(now: readonly TimedRow[], earlier: readonly TimedRow[]) {
  const [right, left] = [bestSide(now), bestSide(earlier)];
  const ratio = left.medianMs / right.medianMs;
  const noise = noiseOf(left) + noiseOf(right);
  const differ = Math.max(ratio, 1 / ratio) - 1 > noise;
  const disturbed = isDisturbed(left) || isDisturbed(right);
  const verdict = disturbed ? "disturbed" : !differ ? "within noise" : ratio > 1 ? "faster" : "slower";
  return { earlierMs: left.medianMs, nowMs: right.medianMs, ratio, noise, verdict } as const;
}

/** A row's machine, threads, versions and kernels: what has to be the same where times are compared. */
function conditionsOf(row: TimedRow): Record<string, string> {
  const { device, dtype, machine, threads, versions = {}, variant = {}, system } = row;
  return {
    machine: device === "cpu" ? `${machine.name}, ${machine.cores} cores` : machine.name,
    device,
    dtype,
    ...(threads !== undefined && { threads: `${threads}` }),
    ...(system === "videomae" && "instructionSet" in variant && { "instruction set": `${variant.instructionSet}` }),
    ...(system === "videomae" && "decoder" in variant && { decoder: `${variant.decoder}` }),
    version: Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .sort()
      .join(", "),
  };
}

/** What a row is about, whatever it was measured on. */
function workKey(row: TimedRow): string {
  const values = row as unknown as Record<string, unknown>;
  return [row.system, row.bench, ...identityFields[row.bench].map((field) => `${field}=${values[field]}`)].join(" ");
}

function conditions(row: TimedRow, acrossVersions: boolean): string {
  const { version, ...rest } = conditionsOf(row);
  return JSON.stringify(acrossVersions ? rest : { ...rest, version });
}

function differences(now: TimedRow, earlier: TimedRow, acrossVersions: boolean): string[] {
  const [here, there] = [conditionsOf(now), conditionsOf(earlier)];
  return Object.keys({ ...here, ...there }).flatMap((name) => {
    if (here[name] === there[name] || (name === "version" && acrossVersions)) return [];
    return [`${name} ${there[name] ?? "unknown"} there, ${here[name] ?? "unknown"} here`];
  });
}

function nearestDifferences(now: TimedRow, candidates: readonly TimedRow[], acrossVersions: boolean): string[] {
  if (candidates.length === 0) return ["not in the earlier file"];
  const all = candidates.map((other) => differences(now, other, acrossVersions));
  return all.reduce((a, b) => (b.length < a.length ? b : a));
}
