import { describe, expect, it } from "vitest";
import { expand, mean, sum } from "#lib/ops/sum.js";
import { memory, threads } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient, expectClose, numbers, values } from "./check-gradient.js";

/** The sum over some axes, the plain way. */
function reference(data: readonly number[], shape: readonly number[], axes: readonly number[]): number[] {
  const kept = shape.map((size, i) => (axes.includes(i) ? 1 : size));
  const result = new Array<number>(kept.reduce((a, b) => a * b, 1)).fill(0);
  data.forEach((x, i) => {
    let [rest, at, step] = [i, 0, 1];
    for (let k = shape.length - 1; k >= 0; k--) {
      const index = rest % shape[k];
      rest = Math.floor(rest / shape[k]);
      if (!axes.includes(k)) at += index * step;
      step *= kept[k];
    }
    result[at] += x;
  });
  return result;
}

describe("sum", () => {
  const shape = [3, 4, 5, 2];
  const data = numbers(120, "sum");
  const subsets = Array.from({ length: 15 }, (_, bits) => [0, 1, 2, 3].filter((k) => (bits + 1) & (1 << k)));

  it.each(subsets.map((axes) => [axes]))("over axes %j", (axes) =>
    scope(() => {
      const x = Tensor.fromArray(Float64Array.from(data), shape);
      const y = sum(x, { axes });
      expect(y.shape).toEqual(shape.filter((_, k) => !axes.includes(k)));
      expectClose(y, reference(data, shape, axes), 1e-13);
      const kept = sum(x, { axes: axes.map((k) => k - 4), keepDims: true });
      expect(kept.shape).toEqual(shape.map((size, k) => (axes.includes(k) ? 1 : size)));
      expect(values(kept)).toEqual(values(y));
    }),
  );

  it("over all axes by default", () =>
    scope(() => {
      const y = sum(Tensor.fromArray([1, 2, 3, 4], [2, 2]));
      expect(y.shape).toEqual([]);
      expect(values(y)).toEqual([10]);
      expect(sum(Tensor.fromArray([1, 2], [1, 2]), { keepDims: true }).shape).toEqual([1, 1]);
    }));

  it("of nothing is 0", () =>
    scope(() => {
      expect(values(sum(Tensor.zeros([0])))).toEqual([0]);
      expect(values(sum(Tensor.zeros([2, 0, 3]), { axes: [1] }))).toEqual([0, 0, 0, 0, 0, 0]);
      expect(sum(Tensor.zeros([2, 0]), { axes: [0] }).shape).toEqual([0]);
    }));

  it("keeps f32 rounding small over a million elements, the same for any number of threads", () =>
    scope(() => {
      const x = Tensor.fromArray(new Float32Array(1_000_003).fill(0.1), [1_000_003]);
      const before = threads();
      const results = [1, 2, 3].map((count) => {
        threads(count);
        return values(sum(x))[0];
      });
      threads(before);
      expect(new Set(results).size).toBe(1);
      const exact = 1_000_003 * Math.fround(0.1);
      expect(Math.abs(results[0] - exact) / exact).toBeLessThan(3e-7);
    }));

  it("has the right gradient, also as a mean", () => {
    for (const axes of [[], [1], [-1, 0]]) {
      checkGradient((x) => sum(x, { axes }), [{ shape: [2, 3, 4] }]);
      checkGradient((x) => mean(x, { axes, keepDims: true }), [{ shape: [2, 3, 4] }]);
    }
  });

  it("propagates NaN and infinities", () =>
    scope(() => {
      const infinity = Number.POSITIVE_INFINITY;
      const x = Tensor.fromArray([1, Number.NaN, 3, infinity, 5, -1, infinity, -infinity], [4, 2]);
      expect(values(sum(x, { axes: [1] }))).toEqual([Number.NaN, infinity, 4, Number.NaN]);
    }));

  it("refuses wrong axes, dtypes and options", () =>
    scope(() => {
      const x = Tensor.zeros([2, 3]);
      expect(() => sum(x, { axes: [2] })).toThrow(/sum: expected an axis from -2 to 1; got 2 for f32\[2, 3\]/);
      expect(() => sum(Tensor.zeros([2], "i32"))).toThrow(/sum: expected x of dtype f32, f64 or bf16; got i32\[2\]/);
      expect(() => sum(x, { axis: 1 } as object)).toThrow(/sum: expected options .*did you mean "axes"/);
    }));
});

describe("mean", () => {
  it("divides by the count", () =>
    scope(() => {
      expectClose(mean(Tensor.fromArray([1, 2, 3, 6], [4])), [3]);
      expectClose(mean(Tensor.fromArray([1, 2, 3, 6], [2, 2]), { axes: [0] }), [2, 4]);
    }));
});

describe("expand", () => {
  it("repeats any dtype", () =>
    scope(() => {
      expect(values(expand(Tensor.fromArray([1, 2], [2, 1]), [2, 3]))).toEqual([1, 1, 1, 2, 2, 2]);
      expect(values(expand(Tensor.fromArray(Uint8Array.of(7, 8), [2]), [2, 2]))).toEqual([7, 8, 7, 8]);
      expect(expand(Tensor.fromArray([1], []), [0, 2]).shape).toEqual([0, 2]);
    }));

  it("has the right gradient", () => checkGradient((x) => expand(x, [2, 3, 4]), [{ shape: [3, 1] }]));

  it("refuses a shape it does not repeat to", () =>
    scope(() => {
      expect(() => expand(Tensor.zeros([2, 3]), [2, 4])).toThrow(/expand: expected shapes that broadcast/);
      expect(() => expand(Tensor.zeros([2, 3]), [3])).toThrow(/expand: expected a shape that f32\[2, 3\] repeats to/);
    }));
});

describe("mean outside a scope", () => {
  it("leaves only its result to the caller", () => {
    using x = Tensor.fromArray([1, 2, 3, 4], [2, 2]);
    const before = memory().tensors;
    using y = mean(x, { axes: [1] });
    expect([...y.readSync()]).toEqual([1.5, 3.5]);
    expect(memory().tensors).toBe(before + 1);
  });
});
