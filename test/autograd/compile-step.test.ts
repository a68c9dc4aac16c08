// Compiled steps: the same results as plain ones, no system allocation, and what happens when a step breaks the rules.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { type CompiledStep, compileStep } from "#lib/autograd/compile-step.js";
import { VideomaeError } from "#lib/errors.js";
import { Linear } from "#lib/nn/linear.js";
import { mul } from "#lib/ops/binary.js";
import { cast } from "#lib/ops/cast.js";
import { mean, sum } from "#lib/ops/sum.js";
import { exp, gelu, square } from "#lib/ops/unary.js";
import { AdamW, parameterGroups } from "#lib/optim/adamw.js";
import { memory } from "#lib/tensor/memory.js";
import { scope, unscoped } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";

const batch = (rows: number, seed = 0) =>
  Tensor.fromArray(
    Float32Array.from({ length: rows * 20 }, (_, i) => Math.sin(i * 1.7 + seed)),
    [rows, 20],
  );
const values = (x: Tensor) => Array.from(x.readSync());

let before: { live: number; tensors: number; arena: number };
beforeEach(() => {
  const { live, tensors, arena } = memory();
  before = { live, tensors, arena };
});
afterEach(() => expect(memory()).toMatchObject(before));

/** Trains a small layer; returns losses and final weights. */
function train(compiled: boolean, steps: number, rows: (i: number) => number): { losses: number[]; weights: number[] } {
  using model = new Linear(20, 30).materialize({ seed: 1 });
  using optimizer = new AdamW(parameterGroups(model), { clipNorm: 1 });
  const body = ({ x }: { x: Tensor }, { learningRate }: { learningRate: Tensor | number }) => {
    const loss = mean(square(gelu(model.forward(x))));
    backward(loss);
    return { loss, ...optimizer.step({ learningRate }) };
  };
  using step = compileStep(body);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    scope(() => {
      const learningRate = 0.01 * (i + 1);
      const { loss } = compiled
        ? step({ x: batch(rows(i), i) }, { learningRate })
        : body({ x: batch(rows(i), i) }, { learningRate });
      losses.push(values(loss)[0]);
    });
  }
  return { losses, weights: values(model.weight.value) };
}

describe("a compiled step", () => {
  it("computes the same bits as the plain one", () => {
    expect(train(true, 8, () => 40)).toEqual(train(false, 8, () => 40));
  });

  it("plans anew for new shapes, and goes back to old plans", () => {
    const rows = (i: number) => [40, 7, 40, 7, 40, 7, 40, 7, 1][i];
    expect(train(true, 9, rows)).toEqual(train(false, 9, rows));
  });

  it("asks the system for nothing from the third call on, and reports its memory", () => {
    using x = batch(50);
    using weight = batch(50, 1);
    weight.requiresGrad = true;
    using step = compileStep(({ x }: { x: Tensor }) => {
      const loss = sum(square(mul(exp(x), weight)));
      backward(loss);
      return { loss };
    });
    step({ x });
    expect(step.arenaBytes).toBe(0);
    step({ x });
    expect(step.arenaBytes).toBeGreaterThan(50 * 20 * 4 * 2);
    expect(memory().arena).toBe(before.arena + step.arenaBytes);
    const { systemAllocations, live } = memory();
    for (let i = 0; i < 5; i++) step({ x });
    expect(memory()).toMatchObject({ systemAllocations, live });
  });

  it("returns copies that the next call overwrites", () => {
    using step = compileStep(({ x }: { x: Tensor }, { factor }: { factor: Tensor }) => ({
      y: mul(x, cast(factor, "f32")),
    }));
    using x = Tensor.fromArray([1, 2], [2]);
    const results = [1, 2, 3, 4].map((factor) => {
      const { y } = step({ x }, { factor });
      return [y, values(y)] as const;
    });
    expect(results.map(([, v]) => v)).toEqual([1, 2, 3, 4].map((f) => [f, 2 * f]));
    expect(new Set(results.map(([y]) => y)).size).toBe(1);
  });

  it("gives its memory back when it is disposed of", () => {
    const step = compileStep(({ x }: { x: Tensor }) => ({ y: exp(exp(x)) }));
    using x = batch(1000);
    for (let i = 0; i < 3; i++) step({ x });
    expect(memory().arena).toBeGreaterThan(before.arena);
    step[Symbol.dispose]();
    expect(memory().arena).toBe(before.arena);
    expect(step.arenaBytes).toBe(0);
  });
});

describe("a step that breaks the rules", () => {
  type Work = (x: Tensor) => Tensor;
  let step: (inputs: { x: Tensor }, work: Work) => { y: Tensor };
  let compiled: CompiledStep<{ x: Tensor }, Record<never, number>, { y: Tensor }>;
  let x: Tensor;
  const usual: Work = (a) => sum(exp(exp(a)));
  beforeEach(() => {
    x = batch(10);
    let work = usual;
    compiled = compileStep(({ x }: { x: Tensor }) => ({ y: work(x) }));
    step = (inputs, todo) => {
      work = todo;
      return compiled(inputs);
    };
  });
  afterEach(() => {
    const expected = scope(() => values(usual(x)));
    for (let i = 0; i < 4; i++) expect(values(step({ x }, usual).y)).toEqual(expected); // still usable
    compiled[Symbol.dispose]();
    x.dispose();
    const { live, tensors, arena } = memory();
    expect({ live, tensors, arena }).toEqual(before);
  });
  const warm = () => {
    for (let i = 0; i < 3; i++) step({ x }, usual);
  };

  it("more work than was recorded", () => {
    warm();
    expect(() => step({ x }, (a) => sum(exp(exp(exp(a)))))).toThrow("compileStep: expected the same allocations");
  });

  it("other sizes than were recorded", () => {
    warm();
    expect(() => step({ x }, (a) => sum(exp(a.view([5], 0))))).toThrow("must do the same work");
  });

  it("less work than was recorded", () => {
    warm();
    expect(() => step({ x }, (a) => sum(a.view([10, 20])))).toThrow(VideomaeError);
    expect(() => step({ x }, (a) => exp(a).view([], 0))).toThrow("fewer allocations");
  });

  it("the same allocations, freed at other times: they would overlap", () => {
    const freeing: Work = (a) => {
      const b = exp(a);
      const c = exp(b);
      b.dispose();
      const d = exp(c);
      const e = exp(d);
      return sum(e);
    };
    const holding: Work = (a) => {
      const b = exp(a);
      const c = exp(b);
      const d = exp(c);
      b.dispose();
      const e = exp(d);
      return sum(e);
    };
    let work = freeing;
    using other = compileStep(({ x }: { x: Tensor }) => ({ y: work(x) }));
    for (let i = 0; i < 3; i++) other({ x });
    work = holding;
    expect(() => other({ x })).toThrow("other blocks were alive");
    work = freeing;
    expect(values(other({ x }).y)).toEqual(scope(() => values(freeing(x))));
  });

  it("another output", () => {
    warm();
    expect(() => step({ x }, (a) => exp(exp(a)))).toThrow("the same work as in the recorded step");
  });

  it.each([1, 2, 3, 4])("tensors that outlive call %i", (call) => {
    for (let i = 1; i < call; i++) step({ x }, usual);
    let stored: Tensor | undefined;
    const storing: Work = (a) => {
      stored = unscoped(() => exp(a));
      return sum(exp(stored));
    };
    if (call === 1) step({ x }, storing);
    else expect(() => step({ x }, storing)).toThrow("every tensor of the step freed at its end; got 1 blocks");
    expect(values(stored!)).toEqual(scope(() => values(exp(x)))); // its memory is good as long as it lives
    if (call > 1) expect(() => step({ x }, usual)).toThrow("no tensor of the previous step alive");
    stored!.dispose();
  });

  it.each([1, 2, 3, 4])("an exception in call %i", (call) => {
    for (let i = 1; i < call; i++) step({ x }, usual);
    const failing: Work = (a) => {
      const leaf = exp(a);
      leaf.requiresGrad = true;
      exp(leaf);
      throw new Error("mine");
    };
    expect(() => step({ x }, failing)).toThrow("mine");
  });

  it.each([1, 3])("an op's error in call %i", (call) => {
    for (let i = 1; i < call; i++) step({ x }, usual);
    expect(() => step({ x }, (a) => mul(exp(a), batch(3)))).toThrow(VideomaeError);
  });

  it.each([1, 2, 3])("an async step, call %i", async (call) => {
    for (let i = 1; i < call; i++) step({ x }, usual);
    const asynchronous = compileStep((async ({ x }: { x: Tensor }) => {
      const y = exp(x);
      await Promise.resolve();
      return { y: sum(y) }; // fails on a freed tensor, unheard
    }) as never);
    expect(() => asynchronous({ x })).toThrow("a synchronous step; got an async one");
    await new Promise((resolve) => setImmediate(resolve));
  });

  it.each([1, 2, 3])("a compiled step inside another, call %i", (call) => {
    const inner = compileStep(({ x }: { x: Tensor }) => ({ y: sum(x) }));
    for (let i = 1; i < call; i++) step({ x }, usual);
    expect(() => step({ x }, (a) => inner({ x: a }).y)).toThrow("a step inside another");
    const disposing: Work = (a) => {
      compiled[Symbol.dispose]();
      return a;
    };
    expect(() => step({ x }, disposing)).toThrow("a step inside another");
  });
});
