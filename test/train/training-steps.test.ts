// The two compiled steps: a loss that is not finite stops its update, whichever micro-batch it came from.
import { expect, it } from "vitest";
import { ones } from "#lib/nn/initializers.js";
import { Module } from "#lib/nn/module.js";
import { mul } from "#lib/ops/binary.js";
import { mean } from "#lib/ops/sum.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { trainingSteps } from "#lib/train/training-steps.js";

class Scale extends Module {
  readonly used = this.parameter("used", [2], ones);
  readonly rest = this.parameter("rest", [2, 2], ones);
}

/** The values of a module after three micro-batches and an update. */
function trained(inputs: readonly number[]): { skipped: number; values: number[]; nonFinite: number[] } {
  using module = new Scale().materialize();
  using optimizer = new AdamW(parameterGroups(module), { lr: 0.1, weightDecay: 0 });
  using steps = trainingSteps(({ x }: { x: Tensor }) => mean(mul(module.used.value, x)), optimizer, 3);
  let results: ReturnType<typeof steps.update> | undefined;
  // Twice, so that the compiled step is recorded and the sum of the losses is seen to start anew.
  for (const values of [[1, 1, 1], inputs]) {
    for (const [i, value] of values.entries()) {
      using x = Tensor.fromArray([value, value], [2]);
      if (i < values.length - 1) steps.accumulate({ x }, undefined);
      else results = steps.update({ x }, { learningRate: 0.1, weightDecay: 0 });
    }
  }
  const { skipped, nonFinite } = results!;
  const numbers = Array.from(nonFinite.readSync());
  return {
    skipped: skipped.readSync()[0],
    values: [...module.used.value.readSync()],
    nonFinite: numbers,
  };
}

it("skips an update for the loss of any of its micro-batches", () => {
  const once = trained([1, 1, 1]);
  expect(once.skipped).toBe(0);
  // 3e38 overflows in the sum of two; its gradient is finite.
  for (const inputs of [
    [3e38, 3e38, 1],
    [1, 3e38, 3e38],
  ]) {
    const { skipped, values } = trained(inputs);
    expect(skipped, `${inputs}`).toBe(1);
    expect(values[0]).toBeGreaterThan(once.values[0]);
  }
  const { skipped, nonFinite } = trained([1, Number.NaN, 1]);
  expect([skipped, nonFinite.reduce((a, b) => a + b)]).toEqual([1, 2]);
});
