// Cosine schedule with linear warm-up, in float64 and in closed form (spec 5.1, 5.2); O(1) a step, no table.
//
//   i < w:  start + (base - start) * i / (w - 1)              w points, the last one exactly `base`
//   else:   final + (base - final) / 2 * (1 + cos(pi * (i - w) / (steps - w)))
//
// The warm-up starts from 0 unless told otherwise, so the first update of such a run changes nothing; its last point and
// the cosine's first are both `base`. A step past the end gets `final`: a loader that yields one batch more than planned
// (spec 10.1, 9) never falls off the schedule. Weight decay uses the same formula without warm-up.

import { rejectUnknownOptions, VideomaeError } from "../errors.js";

/** Options of `cosineSchedule`. */
export interface CosineScheduleOptions {
  /** The value at the end of the warm-up. */
  readonly base: number;
  /** The value after the last step. */
  readonly final: number;
  /** Optimiser steps of the whole run, warm-up included. */
  readonly steps: number;
  /** Points of the linear warm-up, default 0. */
  readonly warmupSteps?: number;
  /** The value at step 0 when there is a warm-up, default 0. */
  readonly warmupStart?: number;
}

/** A value for every step of a run, such as its learning rate. */
export interface Schedule {
  readonly steps: number;
  /** The value at optimiser step `step`, an integer from 0 on. */
  at(step: number): number;
}

/** A cosine schedule with linear warm-up; with `base` equal to `final` and no warm-up it is constant. */
export function cosineSchedule(options: CosineScheduleOptions): Schedule {
  rejectUnknownOptions("cosineSchedule", options, ["base", "final", "steps", "warmupSteps", "warmupStart"]);
  const { base, final, steps, warmupSteps = 0, warmupStart = 0 } = options;
  for (const [name, value] of Object.entries({ base, final, warmupStart })) {
    if (!Number.isFinite(value)) throw bad(name, "a finite number", value);
  }
  if (!Number.isSafeInteger(steps) || steps < 1) throw bad("steps", "a positive integer", steps);
  if (!Number.isSafeInteger(warmupSteps) || warmupSteps < 0 || warmupSteps > steps) {
    throw bad(
      "warmupSteps",
      `an integer from 0 to steps (${steps})`,
      warmupSteps,
      "shorten the warm-up or train longer",
    );
  }
  return {
    steps,
    at(step) {
      if (!Number.isSafeInteger(step) || step < 0) throw bad("at(step)", "an integer from 0 on", step);
      if (step >= steps) return final;
      if (step < warmupSteps) {
        if (warmupSteps === 1) return warmupStart;
        if (step === warmupSteps - 1) return base;
        return warmupStart + step * ((base - warmupStart) / (warmupSteps - 1));
      }
      return final + 0.5 * (base - final) * (1 + Math.cos((Math.PI * (step - warmupSteps)) / (steps - warmupSteps)));
    },
  };
}

/** The linear scaling rule: `rate * totalBatch / 256`; totalBatch = clips an update without counting views (spec 5.1). */
export function scaleLearningRate(rate: number, totalBatch: number): number {
  return (rate * totalBatch) / 256;
}

function bad(option: string, expected: string, got: unknown, hint?: string): VideomaeError {
  return new VideomaeError({ op: `cosineSchedule ${option}`, expected, got: String(got), hint });
}
