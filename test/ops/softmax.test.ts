import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { logSoftmax, softmax } from "#lib/ops/softmax.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, loadFixture } from "../fixtures.js";
import { checkGradient, expectClose, numbers, values } from "./check-gradient.js";

const infinity = Number.POSITIVE_INFINITY;

describe("softmax", () => {
  it("has rows that sum to 1, and does not overflow", () =>
    scope(() => {
      const y = softmax(Tensor.fromArray([1000, 1000, -1000, 0, Math.log(3), -infinity], [2, 3]));
      expectClose(y, [0.5, 0.5, 0, 0.25, 0.75, 0]);
    }));

  it("has the right gradient", () => checkGradient(softmax, [{ shape: [2, 3, 7], data: numbers(42, "x", -3, 3) }]));

  it("makes a row with NaN or +Infinity NaN, and no other", () =>
    scope(() => {
      const y = values(softmax(Tensor.fromArray([0, Number.NaN, 1, infinity, 0, 0], [3, 2])));
      expect(y.slice(0, 4)).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
      expect(y.slice(4)).toEqual([0.5, 0.5]);
    }));

  it.skipIf(!haveShared)("agrees with the reference", () =>
    scope(() => {
      const { tensors } = loadFixture("ops");
      const data = (name: string) => tensors.get(`softmax_5x160.${name}`)!.data as Float32Array;
      const x = Tensor.fromArray(data("x"), [5, 160]);
      x.requiresGrad = true;
      const y = softmax(x);
      backward(y, Tensor.fromArray(data("grad_out"), [5, 160]));
      expectClose(y, data("out"), 1e-6);
      expectClose(x.grad!, data("grad_x"), 1e-6);
    }),
  );

  it("refuses a tensor without a last axis", () =>
    scope(() => {
      expect(() => softmax(Tensor.zeros([]))).toThrow(
        /softmax: expected x of shape \[\.\.\., D\] with D > 0; got f32\[\]/,
      );
      expect(() => softmax(Tensor.zeros([2, 0]))).toThrow(/got f32\[2, 0\]/);
      expect(() => softmax(Tensor.zeros([2], "i32"))).toThrow(/x of dtype f32, f64 or bf16; got i32\[2\]/);
    }));
});

describe("logSoftmax", () => {
  it("is finite where softmax underflows", () =>
    scope(() => {
      expectClose(logSoftmax(Tensor.fromArray([0, -1000, 0], [3])), [-Math.log(2), -1000 - Math.log(2), -Math.log(2)]);
      const x = numbers(12, "log", -3, 3);
      const [a, b] = [logSoftmax, softmax].map((op) => values(op(Tensor.fromArray(Float64Array.from(x), [3, 4]))));
      expectClose(Tensor.fromArray(Float64Array.from(a, Math.exp), [12]), b, 1e-14);
    }));

  it("has the right gradient", () => checkGradient(logSoftmax, [{ shape: [2, 3, 7], data: numbers(42, "x", -3, 3) }]));
});
