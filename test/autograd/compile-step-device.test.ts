// Compiled steps on a device, here the emulator: captured as a graph and replayed without TypeScript, with inputs,
// values and random numbers of their own, to the same bits as a plain step; and what happens when a step breaks the
// rules.

import {
  add,
  backward,
  cast,
  compileStep,
  dropout,
  exp,
  memory,
  mul,
  nativeOp,
  onReplay,
  scope,
  sum,
  Tensor,
  unscoped,
  withRandomKey,
} from "videomae";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hasEmulator } from "../devices.js";

const on = { device: "emu" } as const;
const floats = (values: number[], device: "cpu" | "emu" = "cpu") =>
  Tensor.fromArray(values, [values.length], "f32", device);
const read = (x: Tensor) => Array.from(x.readSync());

describe.skipIf(!hasEmulator)("a step captured on a device", () => {
  let before: { live: number; tensors: number; arena: number };
  const report = () => {
    const { live, tensors, arena } = memory("emu");
    return { live, tensors, arena };
  };
  beforeEach(() => {
    before = report();
  });
  afterEach(() => expect(report()).toEqual(before));

  it("runs its function three times for each set of shapes, and computes the same ever after", () => {
    let calls = 0;
    using step = compileStep(({ x }: { x: Tensor }) => {
      calls++;
      return { y: add(mul(x, x), 1) };
    }, on);
    for (let i = 0; i < 8; i++) {
      for (const length of [3, 5]) {
        using x = floats(Array.from({ length }, (_, k) => i + k));
        const expected = read(x).map((v) => v * v + 1);
        expect(read(step({ x }).y)).toEqual(expected);
      }
    }
    expect(calls).toBe(6);
    expect(step.arenaBytes).toBe(memory("emu").arena);
  });

  it("takes inputs from the CPU and from the device, before they change", () => {
    using step = compileStep(({ a, b }: { a: Tensor; b: Tensor }) => ({ y: add(a, b) }), on);
    using a = floats([0]);
    using b = floats([0], "emu");
    const results: number[] = [];
    for (let i = 1; i <= 8; i++) {
      a.write(Float32Array.of(i));
      b.write(Float32Array.of(10 * i));
      const { y } = step({ a, b });
      a.write(Float32Array.of(-1));
      b.write(Float32Array.of(-1));
      results.push(...read(y));
    }
    expect(results).toEqual([11, 22, 33, 44, 55, 66, 77, 88]);
  });

  it("may be called again and again before a result is read", async () => {
    using step = compileStep(({ x }: { x: Tensor }) => ({ y: mul(x, 2) }), on);
    const reads: Promise<number>[] = [];
    for (let i = 0; i < 20; i++) {
      using x = floats([i]);
      reads.push(step({ x }).y.item());
    }
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i));
  });

  it("sees the values of each call", () => {
    using step = compileStep(
      ({ x }: { x: Tensor }, { rate, shift }: { rate: Tensor; shift: Tensor }) => ({
        y: add(mul(x, cast(rate, "f32")), cast(shift, "f32")),
      }),
      on,
    );
    using x = floats([1, 2]);
    for (let i = 0; i < 6; i++) expect(read(step({ x }, { rate: i, shift: -i }).y)).toEqual([0, i]);
  });

  it("shows a value that is baked in: the mistake that values are there against", () => {
    let rate = 0;
    using step = compileStep(({ x }: { x: Tensor }) => ({ y: mul(x, rate) }), on);
    using x = floats([1]);
    const seen: number[] = [];
    for (rate = 1; rate <= 5; rate++) seen.push(...read(step({ x }).y));
    expect(seen).toEqual([1, 2, 3, 3, 3]); // the number of the third call, which was captured
  });

  it("draws its own random numbers at every call, those of a plain step", () => {
    const body = ({ x }: { x: Tensor }) => ({ y: dropout(x, 0.5, { path: "here" }) });
    using step = compileStep(body, on);
    using x = floats(new Array(64).fill(1));
    const seen = new Set<string>();
    for (let update = 0; update < 6; update++) {
      const key = { seed: 3, update, microStep: 0 };
      const got = withRandomKey(key, () => read(step({ x }).y));
      expect(got).toEqual(withRandomKey(key, () => scope(() => read(body({ x }).y))));
      seen.add(got.join());
    }
    expect(seen.size).toBe(6);
  });

  it("changes what it refers to in place, and tells of it", () => {
    using total = floats([0], "emu");
    const versions: number[] = [];
    using step = compileStep(({ x }: { x: Tensor }) => {
      nativeOp("accumulate", { y: total, x });
      onReplay(() => versions.push(total.version));
      return { y: total };
    }, on);
    using x = floats([1]);
    for (let i = 1; i <= 6; i++) expect(read(step({ x }).y)).toEqual([i]);
    expect(versions.length).toBe(4); // calls 3 to 6
    expect(new Set(versions).size).toBe(4);
  });

  it("has gradients", () => {
    using weight = floats([2, 3], "emu");
    weight.requiresGrad = true;
    using step = compileStep(({ x }: { x: Tensor }) => {
      const loss = sum(mul(mul(x, weight), weight));
      backward(loss);
      const gradient = mul(weight.grad!, 1);
      nativeOp("fill", { y: weight.grad!, value: 0 });
      return { loss, gradient };
    }, on);
    for (let i = 1; i <= 5; i++) {
      using x = floats([i, 1]);
      const { loss, gradient } = step({ x });
      expect([read(loss), read(gradient)]).toEqual([[4 * i + 9], [4 * i, 6]]);
    }
  });

  it("updates weights at the learning rate of each call, as on the CPU; a stale one would be noticed", () => {
    /** Six updates at rates that change; the weights then. With `stale`, the rate is a number of the script. */
    const train = (device: "cpu" | "emu", stale = false) => {
      const flat = (value: number) => Tensor.fromArray(new Float32Array(16).fill(value), [16], "f32", device);
      const state = { parameters: flat(1), gradients: flat(0), expAvg: flat(0), expAvgSq: flat(0) };
      const table = {
        segments: Tensor.fromArray(Int32Array.of(1, 1), [1, 2], "i32", device),
        rateScales: Tensor.fromArray(Float64Array.of(1), [1], "f64", device),
        copies: Tensor.zeros([0], "bf16", device),
        updates: Tensor.zeros([], "i32", device),
        weightDecay: Tensor.fromArray(Float64Array.of(0.1), [], "f64", device),
      };
      let number = 0;
      using step = compileStep(
        ({ x }: { x: Tensor }, { rate }: { rate: Tensor }) => {
          nativeOp("accumulate", { y: state.gradients, x });
          const learningRate = stale ? Tensor.fromArray(Float64Array.of(number), [], "f64", device) : rate;
          return { skipped: nativeOp("adamw", { ...state, ...table, learningRate }).skipped };
        },
        { device },
      );
      for (number = 0.1; number < 0.7; number += 0.1) {
        using x = Tensor.fromArray(
          Float32Array.from({ length: 16 }, (_, i) => Math.sin(i + number)),
          [16],
        );
        step({ x }, { rate: number });
      }
      const weights = read(state.parameters);
      for (const tensor of [...Object.values(state), ...Object.values(table)]) tensor.dispose();
      return weights;
    };
    const expected = train("cpu");
    const worst = (got: number[]) => Math.max(...got.map((w, i) => Math.abs(w - expected[i])));
    expect(worst(train("emu"))).toBeLessThan(1e-5);
    expect(worst(train("emu", true))).toBeGreaterThan(0.05);
  });

  it("keeps alive what it refers to", () => {
    const factor = floats([7], "emu");
    using step = compileStep(({ x }: { x: Tensor }) => ({ y: mul(x, factor) }), on);
    using x = floats([1]);
    for (let i = 0; i < 3; i++) step({ x });
    factor.dispose();
    for (let i = 0; i < 4; i++) {
      using _other = floats([100 + i], "emu"); // would be given the memory of the factor
      expect(read(step({ x }).y)).toEqual([7]);
    }
  });

  it("asks for no memory once it is captured", () => {
    using step = compileStep(({ x }: { x: Tensor }) => ({ y: exp(exp(exp(x))) }), on);
    using x = floats([0]);
    for (let i = 0; i < 3; i++) step({ x });
    const { systemAllocations, live } = memory("emu");
    for (let i = 0; i < 50; i++) step({ x });
    expect(memory("emu")).toMatchObject({ systemAllocations, live });
  });

  describe("that breaks the rules", () => {
    type Work = (x: Tensor) => Tensor;
    const usual: Work = (a) => sum(exp(exp(a)));

    /** Runs `work` in one call of a step, with usual calls before it, and after it and `mend`. */
    function breaking(call: number, work: Work, mend = () => {}): void {
      let todo = usual;
      using step = compileStep(({ x }: { x: Tensor }) => ({ y: todo(x) }), on);
      using x = floats([0.5, 0.25]);
      using there = x.to("emu");
      const expected = scope(() => read(usual(there)));
      for (let i = 1; i < call; i++) step({ x });
      todo = work;
      try {
        step({ x });
      } finally {
        todo = usual;
        mend();
        for (let i = 0; i < 4; i++) expect(read(step({ x }).y)).toEqual(expected); // still usable
      }
    }

    it.each([1, 2, 3])("reads a tensor, in call %i", (call) => {
      const message = "compileStep: expected a step that waits for nothing; got a read inside it";
      expect(() => breaking(call, (a) => mul(a, read(a)[0]))).toThrow(message);
    });

    it.each([1, 2, 3])("works elsewhere, in call %i", (call) => {
      expect(() => breaking(call, (a) => add(usual(a), toHere([2])))).toThrow(
        "unary: expected tensors on emu in a step compiled for it; got some on cpu",
      );
      expect(() => breaking(call, (a) => add(usual(a), floats([1]).to("emu")))).toThrow(
        "to: expected tensors on emu in a step compiled for it; got some on cpu",
      );
    });

    it.each([1, 3])("returns what is elsewhere, in call %i", (call) => {
      expect(() => breaking(call, () => Tensor.zeros([]))).toThrow("expected results on emu; got y on cpu");
    });

    it.each([1, 2, 3])("throws, in call %i", (call) => {
      const failing: Work = (a) => {
        exp(a);
        throw new Error("mine");
      };
      expect(() => breaking(call, failing)).toThrow("mine");
    });

    it("does other work than was recorded, in call 3", () => {
      expect(() => breaking(3, (a) => sum(exp(exp(exp(a)))))).toThrow("the same allocations and releases");
      expect(() => breaking(3, (a) => exp(a).view([], 0))).toThrow("fewer allocations");
    });

    it.each([2, 3])("leaves tensors alive, in call %i", (call) => {
      let stored: Tensor | undefined;
      const storing: Work = (a) => {
        stored = unscoped(() => exp(a));
        return sum(exp(stored));
      };
      expect(() => breaking(call, storing, () => stored?.dispose())).toThrow("1 blocks still alive");
    });

    it("gets inputs that want gradients", () => {
      using x = floats([1]);
      x.requiresGrad = true;
      using step = compileStep(({ x }: { x: Tensor }) => ({ y: exp(x) }), on);
      expect(() => step({ x })).toThrow("compileStep: expected inputs without gradients; got f32[1]");
    });
  });
});

/** e to the power of the numbers, computed on the CPU. */
function toHere(values: number[]): Tensor {
  return exp(floats(values));
}
