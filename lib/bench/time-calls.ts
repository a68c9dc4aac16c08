// How long calls take: always after a warm-up, always several times. What the package computes on the CPU it computes in
// the call, and what a device is given has to be waited for in it, so the wall clock around the call is its time.
import { watchOthers } from "./machine.js";

/** How often a call is repeated. */
export interface Repeats {
  /** The calls that count go on for so many seconds... */
  readonly seconds: number;
  /** ... but there are at least so many, */
  readonly least: number;
  /** and at most so many. */
  readonly most: number;
}

/** Fields of a row: milliseconds of one call, and how certain they are. */
export interface Times {
  readonly medianMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly repeats: number;
  /** The middle half of all times, from end to end, as a part of the median. */
  readonly noise: number;
  /** Cores that other processes kept busy; absent where it was too short to tell. */
  readonly otherCores?: number;
}

/** Shorter than this, the ticks that processors count time in say nothing. */
const TELLING_MS = 200;

/**
 * Times of `call`.
 * @param warmUp  calls before those that count
 * @param callsEach  pieces of work in one call; the times are divided by it
 * @param onWarm  called once, after the warm-up
 */
export function timeCalls(
  call: () => void,
  warmUp: number,
  repeats: Repeats,
  callsEach = 1,
  onWarm?: () => void,
): Times {
  for (let i = 0; i < warmUp; i++) call();
  onWarm?.();
  const others = watchOthers();
  const times: number[] = [];
  let total = 0;
  while (goesOn(times.length, total, repeats)) {
    const begun = performance.now();
    call();
    times.push(performance.now() - begun);
    total += times[times.length - 1];
  }
  return timesOf(
    times.map((ms) => ms / callsEach),
    total >= TELLING_MS ? others() : undefined,
  );
}

/** Whether another call is made after `count` of them that took `totalMs`. */
export function goesOn(count: number, totalMs: number, { seconds, least, most }: Repeats): boolean {
  return count < least || (totalMs < 1000 * seconds && count < most);
}

/** The fields of single times in milliseconds. */
export function timesOf(times: readonly number[], otherCores?: number): Times {
  const sorted = times.toSorted((a, b) => a - b);
  const medianMs = quantile(sorted, 0.5);
  return {
    ...{ medianMs: sixDigits(medianMs), minMs: sixDigits(sorted[0]), maxMs: sixDigits(sorted[sorted.length - 1]) },
    repeats: sorted.length,
    noise: Number(((quantile(sorted, 0.75) - quantile(sorted, 0.25)) / medianMs).toFixed(4)),
    ...(otherCores !== undefined && { otherCores }),
  };
}

/** `work` units of a call that takes `ms`, as a rate in multiples of `unit` a second. */
export function perSecond(work: number, ms: number, unit = 1): number {
  return sixDigits((1000 * work) / ms / unit);
}

export function sixDigits(value: number): number {
  return Number(value.toPrecision(6));
}

function quantile(sorted: readonly number[], part: number): number {
  const at = part * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
