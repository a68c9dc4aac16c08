// Rows of the native GPU programs say what they measured; here they are given who, where, with what and when, as
// lib/bench/row.ts asks of every row. Rows that are complete stay as they are.
import { origin } from "#lib/bench/machine.js";
import type { GpuReading } from "./gpu-readings.js";
import type { ResultRow } from "./recorder.js";

/** Kinds that native programs print without saying where they ran. */
const NATIVE = ["probe", "ceiling", "attention", "gemm", "bandwidth"];

export function completeRow(row: ResultRow, reading: GpuReading | undefined): ResultRow {
  if (row.verdict === "no usable GPU") return { bench: "unavailable", what: "a GPU", reason: row.detail };
  if (!NATIVE.includes(String(row.bench)) || "machine" in row) return row;
  const { probe, ...rest } = row;
  const { machine, ...with_ } = origin();
  const { name, ...state } = reading ?? { name: machine.name };
  return {
    ...rest,
    ...(probe !== undefined && { name: probe }),
    system: "videomae",
    device: "cuda",
    machine: { ...machine, name, ...state },
    ...with_,
  };
}
