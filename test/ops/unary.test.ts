import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { abs, exp, gelu, log, neg, relu, sigmoid, sign, sqrt, square, tanh } from "#lib/ops/unary.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, loadFixture } from "../fixtures.js";
import { checkGradient, expectClose, numbers, values } from "./check-gradient.js";

const ops: [string, (x: Tensor) => Tensor, (x: number) => number, number][] = [
  ["neg", neg, (x) => -x, -2],
  ["exp", exp, Math.exp, -2],
  ["log", log, Math.log, 0.2],
  ["sqrt", sqrt, Math.sqrt, 0.2],
  ["square", square, (x) => x * x, -2],
  ["abs", abs, Math.abs, -2],
  ["relu", relu, (x) => Math.max(x, 0), -2],
  ["tanh", tanh, Math.tanh, -2],
  ["sigmoid", sigmoid, (x) => 1 / (1 + Math.exp(-x)), -2],
  ["sign", sign, Math.sign, -2],
];

describe.each(ops)("%s", (name, op, reference, low) => {
  const data = numbers(14, name, low, 2);

  it("is the function, in f64 and f32", () =>
    scope(() => {
      expectClose(op(Tensor.fromArray(Float64Array.from(data), [2, 7])), data.map(reference), 1e-14);
      const y = op(Tensor.fromArray(data, [2, 7]));
      expect(y.shape).toEqual([2, 7]);
      expectClose(
        y,
        data.map((x) => reference(Math.fround(x))),
        3e-7,
      );
    }));

  it("has the right gradient", () => checkGradient(op, [{ shape: [2, 7], data }]));

  it("propagates NaN and takes an empty tensor", () =>
    scope(() => {
      expect(values(op(Tensor.fromArray([Number.NaN], [])))).toEqual([Number.NaN]);
      expect(op(Tensor.zeros([0, 3])).shape).toEqual([0, 3]);
    }));
});

describe("gelu", () => {
  it("has the right gradient", () => checkGradient(gelu, [{ shape: [9], data: numbers(9, "gelu", -4, 4) }]));

  it("keeps its relative accuracy in the negative tail", () =>
    scope(() => {
      // -6 * Phi(-6), with Phi(-6) = 9.865876450376981e-10
      expectClose(gelu(Tensor.fromArray(Float64Array.of(-6), [])), [-6 * 9.865876450376981e-10], 1e-13);
      expectClose(gelu(Tensor.fromArray([-6], [])), [-6 * 9.865876450376981e-10], 1e-5);
      expect(values(gelu(Tensor.fromArray([Number.NaN, Number.POSITIVE_INFINITY], [2])))).toEqual([
        Number.NaN,
        Number.POSITIVE_INFINITY,
      ]);
    }));

  it.skipIf(!haveShared)("agrees with the reference", () =>
    scope(() => {
      const { tensors } = loadFixture("ops");
      const data = (name: string) => tensors.get(`gelu.${name}`)!.data as Float32Array;
      const x = Tensor.fromArray(data("x"), [367]);
      x.requiresGrad = true;
      const y = gelu(x);
      backward(y, Tensor.fromArray(data("grad_out"), [367]));
      expectClose(y, data("out"), 2e-6);
      expectClose(x.grad!, data("grad_x"), 2e-6);
    }),
  );
});

describe("edges and errors", () => {
  it("has derivative 0 where abs and relu have a corner", () =>
    scope(() => {
      for (const op of [abs, relu]) {
        const x = Tensor.fromArray([0, 1], [2]);
        x.requiresGrad = true;
        backward(op(x), Tensor.fromArray([1, 1], [2]));
        expect(values(x.grad!)).toEqual([0, 1]);
      }
    }));

  it("saves nothing it does not need", () =>
    scope(() => {
      const x = Tensor.fromArray([1, 4], [2]);
      x.requiresGrad = true;
      const y = sqrt(x);
      x.write(Float32Array.of(100, 100)); // the gradient of sqrt is written in terms of its value
      backward(y, Tensor.fromArray([1, 1], [2]));
      expectClose(x.grad!, [0.5, 0.25]);
    }));

  it("names op and operand", () =>
    scope(() => {
      expect(() => exp(Tensor.fromArray(Int32Array.of(1), [1]))).toThrow(
        /unary: expected x of dtype f32, f64 or bf16; got i32\[1\]\. Hint: convert it with cast/,
      );
      expect(() => exp({} as Tensor)).toThrow(/unary: expected a tensor as x; got a foreign object/);
    }));
});
