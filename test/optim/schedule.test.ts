import { describe, expect, test } from "vitest";
import { cosineSchedule, scaleLearningRate } from "#lib/optim/schedule.js";
import { haveShared, loadFixture } from "../fixtures.js";

describe.skipIf(!haveShared)("against the reference", () => {
  const { json, tensors } = haveShared ? loadFixture("schedules") : { json: { configs: {} }, tensors: new Map() };
  test.each(Object.keys(json.configs))("%s", (name) => {
    const c = json.configs[name];
    const perEpoch = c.niter_per_ep;
    const schedule = cosineSchedule({
      base: c.base_value,
      final: c.final_value,
      steps: c.epochs * perEpoch,
      warmupSteps: c.warmup_steps ?? (c.warmup_epochs ?? 0) * perEpoch,
      warmupStart: c.start_warmup_value ?? 0,
    });
    const expected = tensors.get(name)?.data as Float64Array;
    expect(expected).toHaveLength(schedule.steps);
    expected.forEach((value, step) => {
      expect(Math.abs(schedule.at(step) - value)).toBeLessThanOrEqual(1e-15);
    });
  });
});

test("the published check values", () => {
  const schedule = cosineSchedule({ base: 4e-3, final: 4e-5, steps: 2000, warmupSteps: 200 });
  const values = { 0: 0, 1: 2.010050251e-5, 100: 2.010050251e-3, 199: 4e-3, 200: 4e-3, 201: 3.999996984e-3 };
  for (const [step, value] of Object.entries({ ...values, 1100: 2.02e-3, 1999: 4.000301571e-5 })) {
    expect(schedule.at(Number(step))).toBeCloseTo(value, 11);
  }
});

test("past the end the final value holds", () => {
  const schedule = cosineSchedule({ base: 1, final: 0.1, steps: 10 });
  expect([10, 11, 1e6].map((step) => schedule.at(step))).toEqual([0.1, 0.1, 0.1]);
  expect(cosineSchedule({ base: 1, final: 0.1, steps: 4, warmupSteps: 4 }).at(3)).toBe(1);
  expect(cosineSchedule({ base: 1, final: 1, steps: 4, warmupSteps: 1, warmupStart: 0.5 }).at(0)).toBe(0.5);
});

test("mistakes are named", () => {
  const good = { base: 1, final: 0, steps: 10 };
  expect(() => cosineSchedule({ ...good, base: Number.NaN })).toThrow(/base.*finite/);
  expect(() => cosineSchedule({ ...good, steps: 0 })).toThrow(/steps.*positive/);
  expect(() => cosineSchedule({ ...good, warmupSteps: 11 })).toThrow(/warmupSteps.*shorten/);
  expect(() => cosineSchedule({ ...good, warmup: 1 } as typeof good)).toThrow(/"warmup"/);
  expect(() => cosineSchedule(good).at(-1)).toThrow(/at\(step\)/);
});

test("the learning rate scales with the batch over 256", () => {
  expect(scaleLearningRate(1.5e-4, 1024)).toBeCloseTo(6e-4, 15);
});
