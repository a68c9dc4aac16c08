// What a run watches: skipped updates, spikes, the smoothed loss.
import { describe, expect, it } from "vitest";
import { Guards, noUpdates } from "#lib/train/guards.js";

const options = { maxSkips: 3, spikeRatio: 2 };
const infinity = Number.POSITIVE_INFINITY;

describe("Guards", () => {
  it("tells of a spike once, where it begins, and not before it knows what is usual", () => {
    const guards = new Guards(options);
    const losses = [50, ...new Array(20).fill(1), 1.9, 2.1, 3, 1, 2.5, ...new Array(100).fill(4), 4];
    const spikes = losses.flatMap((loss, i) => (guards.updated(loss) ? [i] : []));
    expect(spikes).toEqual([22, 25]);
    expect(guards.state).toMatchObject({ spikes: 2, spiking: false, skipped: 0 });
    expect(guards.state.recent).toHaveLength(100);
    expect(guards.updated(9)).toEqual({ median: 4, ratio: 2.25 });
  });

  it("smooths the loss without a bias to zero", () => {
    const guards = new Guards(options);
    expect(guards.smoothedLoss).toBeUndefined();
    guards.skipped();
    expect(guards.smoothedLoss).toBeUndefined();
    for (let i = 0; i < 5; i++) guards.updated(0.75);
    expect(guards.smoothedLoss).toBeCloseTo(0.75, 12);
    guards.updated(1.75);
    expect(guards.smoothedLoss).toBeGreaterThan(0.75);
    expect(guards.smoothedLoss).toBeLessThan(1.25);
  });

  it("counts skipped updates, and ends the run after so many in a row", () => {
    const guards = new Guards(options);
    for (const loss of [undefined, undefined, 1, undefined, undefined]) {
      if (loss === undefined) guards.skipped();
      else guards.updated(loss);
      guards.check(1, infinity);
    }
    guards.skipped();
    expect(guards.state).toMatchObject({ skipped: 5, skippedInARow: 3 });
    expect(() => guards.check(6, infinity)).toThrow(/update 6: expected a finite loss.*3 updates in a row.*Infinity/);
  });

  it("goes on from its state, which is plain data", () => {
    const losses = Array.from({ length: 150 }, (_, i) => 1 + (i % 7) + (i % 40 === 0 ? 30 : 0));
    const whole = new Guards(options);
    let resumed = new Guards(options, noUpdates);
    for (const loss of losses) {
      expect(resumed.updated(loss)).toEqual(whole.updated(loss));
      resumed = new Guards(options, JSON.parse(JSON.stringify(resumed.state)));
    }
    expect(resumed.state).toEqual(whole.state);
    expect(resumed.smoothedLoss).toBe(whole.smoothedLoss);
  });
});
