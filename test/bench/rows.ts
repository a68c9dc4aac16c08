// Rows to test with.
import type { TimedRow } from "#lib/bench/row.js";

/** A valid row of a training step; fields replace its own. */
export function stepRow(fields: Record<string, unknown> = {}): TimedRow {
  return {
    bench: "step",
    system: "videomae",
    device: "cpu",
    threads: 2,
    dtype: "f32",
    model: "vit-small",
    clips: 2,
    decoderMaskRatio: 0.5,
    medianMs: 100,
    minMs: 90,
    maxMs: 120,
    repeats: 5,
    clipsPerSecond: 20,
    gflopPerSecond: 150,
    machine: { name: "A processor", cores: 2 },
    date: "2026-01-02T03:04:05Z",
    ...fields,
  } as TimedRow;
}

/** A valid row of a dense product. */
export function gemmRow(fields: Record<string, unknown> = {}): TimedRow {
  const {
    model: _,
    clips: __,
    decoderMaskRatio: ___,
    clipsPerSecond: ____,
    ...shared
  } = stepRow() as TimedRow & {
    bench: "step";
  };
  const shape = { name: "square", m: 64, n: 48, k: 32, layout: "nt" };
  return { ...shared, bench: "gemm", ...shape, minMs: 1, medianMs: 2, maxMs: 2, ...fields } as TimedRow;
}
