// What a person calls a row's work, and how fast it went.
import type { TimedRow } from "./row.js";

/** The work, without device, dtype and threads. */
export function workName(row: TimedRow): string {
  switch (row.bench) {
    case "gemm":
      return `${named(row)}${row.m} x ${row.n} x ${row.k} ${row.layout}`;
    case "attention":
      return `${named(row)}(${row.clips}, ${row.heads}, ${row.tokens}, ${row.headWidth}) ${row.pass}`;
    case "step":
      return `${row.model}, ${clips(row.clips)}${row.decoderMaskRatio === 0 ? ", encoder mask only" : ""}`;
    case "classifier":
      return `${row.model}, ${clips(row.clips)}, ${row.pass}`;
    case "bandwidth":
      return `${row.op} ${row.shape.join(" x ")} ${row.pass}`;
    case "loader":
      return `to ${row.clipsOf}, ${clips(row.clips)} of ${row.frames} x ${row.size} x ${row.size}: ${row.source}`;
  }
}

const named = ({ name }: TimedRow) => (name ? `${name}: ` : "");
const clips = (count: number) => (count === 1 ? "1 clip" : `${count} clips`);

/** Work of a call in a second, at another time of the call than the row's median. */
export function rateOf(row: TimedRow, ms: number): { readonly value: number; readonly unit: string } {
  const scaled = (perSecond: number) => (perSecond * row.medianMs) / ms;
  if (row.bench === "bandwidth") return { value: scaled(row.gbPerSecond), unit: "GB/s" };
  if (row.bench === "gemm" || row.bench === "attention") return { value: scaled(row.gflopPerSecond), unit: "GFLOP/s" };
  return { value: scaled(row.clipsPerSecond), unit: "clips/s" };
}

/** Floating-point operations a second, where the row counts them. */
export function gflopOf(row: TimedRow, ms: number): number | undefined {
  return "gflopPerSecond" in row ? (row.gflopPerSecond * row.medianMs) / ms : undefined;
}

/** The greatest rate of a dense product among rows of ours, GFLOP/s; undefined where there is none. */
export function peakOf(rows: readonly TimedRow[]): number | undefined {
  const rates = rows.flatMap((row) =>
    row.bench === "gemm" && row.system === "videomae" ? [(row.gflopPerSecond * row.medianMs) / row.minMs] : [],
  );
  return rates.length > 0 ? Math.max(...rates) : undefined;
}

/** Three digits, or all before the point. */
export function threeDigits(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
