// How far the times of one side of a comparison can be trusted.
import { median, type Side } from "./pairing.js";

/** Other programs that keep more than this part of the processors busy, and more than a tenth of one, spoil a time. */
const BUSY = 0.05;
const LEAST_BUSY = 0.1;

/**
 * The noise of a side, as a part of its median: the middle half of a row's times, or the range of the rounds' medians where
 * that is more. A row that does not say what its middle half was counts with all of its times.
 */
export function noiseOf({ rows, medianMs }: Side): number {
  const medians = rows.map((row) => row.medianMs);
  const rounds = (Math.max(...medians) - Math.min(...medians)) / medianMs;
  return Math.max(rounds, median(rows.map((row) => row.noise ?? (row.maxMs - row.minMs) / row.medianMs)));
}

/** Whether other programs kept so much of the machine busy that times are too long. */
export function isDisturbed({ rows }: Side): boolean {
  return rows.some(
    ({ otherCores = 0, machine }) => otherCores > Math.max(LEAST_BUSY, BUSY * Number(machine.cores ?? 1)),
  );
}
