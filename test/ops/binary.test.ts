import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { add, div, maximum, minimum, mul, type Operand, pow, sub } from "#lib/ops/binary.js";
import { sum } from "#lib/ops/sum.js";
import { nativeOp } from "#lib/tensor/native-op.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient, expectClose, numbers, values } from "./check-gradient.js";

const f32 = (data: number[], shape: number[] = [data.length]) => Tensor.fromArray(data, shape);
const ops: [string, (a: Operand, b: Operand) => Tensor, (a: number, b: number) => number][] = [
  ["add", add, (a, b) => a + b],
  ["sub", sub, (a, b) => a - b],
  ["mul", mul, (a, b) => a * b],
  ["div", div, (a, b) => a / b],
  ["maximum", maximum, Math.max],
  ["minimum", minimum, Math.min],
  ["pow", pow, (a, b) => a ** b],
];

describe.each(ops)("%s", (_name, op, reference) => {
  it("broadcasts", () =>
    scope(() => {
      const [a, b] = [numbers(6, "a", 0.5, 2), numbers(4, "b", 0.5, 2)];
      const y = op(Tensor.fromArray(Float64Array.from(a), [2, 3, 1]), Tensor.fromArray(Float64Array.from(b), [1, 4]));
      expect(y.shape).toEqual([2, 3, 4]);
      expectClose(
        y,
        a.flatMap((x) => b.map((z) => reference(x, z))),
        1e-14,
      );
    }));

  it("takes a number on either side", () =>
    scope(() => {
      expectClose(
        op(f32([1, 2, 3]), 2),
        [1, 2, 3].map((x) => reference(x, 2)),
      );
      expectClose(
        op(2, f32([1, 2, 3])),
        [1, 2, 3].map((x) => reference(2, x)),
      );
      expect(op(2, Tensor.fromArray(Float64Array.of(1), [])).dtype).toBe("f64");
    }));

  it("has the right gradients, summed over broadcast axes", () => {
    const [a, b] = [numbers(6, "ga", 0.5, 2), numbers(4, "gb", 0.5, 2)];
    checkGradient(op, [
      { shape: [2, 3, 1], data: a },
      { shape: [1, 4], data: b },
    ]);
    checkGradient(op, [
      { shape: [3, 4], data: numbers(12, "gc", 0.5, 2) },
      { shape: [4], data: b },
    ]);
    checkGradient((x) => op(1.25, x), [{ shape: [2, 3], data: a }]);
    checkGradient((x) => op(x, 1.25), [{ shape: [2, 3], data: a }]);
  });

  it("propagates NaN", () =>
    scope(() => expect(values(op(f32([Number.NaN, 2]), f32([2, Number.NaN])))).toEqual([Number.NaN, Number.NaN])));
});

describe("edges", () => {
  it("shares the gradient of equal operands of maximum, and that of one tensor used twice adds up", () =>
    scope(() => {
      const x = f32([1, 2]);
      const z = f32([1, 5]);
      x.requiresGrad = true;
      z.requiresGrad = true;
      backward(sum(maximum(x, z)));
      expect(values(x.grad!)).toEqual([0.5, 0]);
      expect(values(z.grad!)).toEqual([0.5, 1]);
      const w = f32([3, 4]);
      w.requiresGrad = true;
      backward(sum(mul(w, w)));
      expect(values(w.grad!)).toEqual([6, 8]);
    }));

  it("computes the gradients of pow at 0", () =>
    scope(() => {
      const a = f32([0, 0, 2]);
      const b = f32([0, 2, 0]);
      a.requiresGrad = true;
      b.requiresGrad = true;
      backward(sum(pow(a, b)));
      expect(values(a.grad!)).toEqual([0, 0, 0]);
      expectClose(b.grad!, [0, 0, Math.log(2)]);
    }));

  it("gives infinities as IEEE arithmetic does", () =>
    scope(() => {
      const infinity = Number.POSITIVE_INFINITY;
      expect(values(div(f32([1, -1, 0]), 0))).toEqual([infinity, -infinity, Number.NaN]);
      expect(values(sub(f32([infinity]), infinity))).toEqual([Number.NaN]);
      expect(values(maximum(f32([-infinity]), 0))).toEqual([0]);
    }));

  it("accumulates in place", () =>
    scope(() => {
      const y = f32([1, 2]);
      nativeOp("accumulate", { y, x: f32([10, 20]) });
      expect(values(y)).toEqual([11, 22]);
      expect(() => nativeOp("accumulate", { y, x: f32([1]) })).toThrow(/accumulate: expected x of shape \[2\]/);
    }));
});

describe("errors", () => {
  it("names the op, what it expected, what it got and what to do", () =>
    scope(() => {
      const x = f32([1, 2]);
      expect(() => add(x, f32([1, 2, 3]))).toThrow(
        /binary: expected shapes that broadcast; got \[2\] and \[3\]\. Hint: sizes of the same axis/,
      );
      expect(() => add(x, Tensor.fromArray(Int32Array.of(1, 2), [2]))).toThrow(
        /binary: expected b of dtype f32; got i32\[2\]\. Hint: convert it with cast/,
      );
      expect(() => mul(Tensor.fromArray(Uint8Array.of(1), [1]), 2)).toThrow(/a of dtype f32, f64 or bf16; got u8\[1\]/);
      expect(() => add(1, 2)).toThrow(/add: expected a tensor as one of the operands; got two numbers/);
    }));

  it("refuses freed tensors and foreign objects", () =>
    scope(() => {
      const x = f32([1, 2]);
      const freed = f32([1, 2]);
      freed.dispose();
      expect(() => add(x, freed)).toThrow(/expected a live tensor f32\[2\]; got a freed one\. Hint: .*keep\(\)/);
      expect(() => add(x, { shape: [2] } as unknown as Tensor)).toThrow(
        /binary: expected a tensor as b; got a foreign object/,
      );
      expect(() => add(x, "1" as unknown as Tensor)).toThrow(/binary: expected a tensor as b; got the string "1"/);
    }));
});
