import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { layerNorm } from "#lib/ops/layer-norm.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, loadFixture } from "../fixtures.js";
import { checkGradient, expectClose, numbers, values } from "./check-gradient.js";

describe("layerNorm", () => {
  it("has rows of mean 0 and variance 1 before weight and bias", () =>
    scope(() => {
      const x = Tensor.fromArray(Float64Array.from(numbers(24, "x", 3, 9)), [2, 3, 4]);
      const ones = Tensor.fromArray(Float64Array.of(1, 1, 1, 1), [4]);
      const y = values(layerNorm(x, ones, Tensor.zeros([4], "f64"), { eps: 0 }));
      for (let row = 0; row < 6; row++) {
        const of = y.slice(row * 4, row * 4 + 4);
        expect(of.reduce((a, b) => a + b)).toBeCloseTo(0, 12);
        expect(of.reduce((a, b) => a + b * b, 0)).toBeCloseTo(4, 12);
      }
    }));

  it("has the right gradients", () =>
    checkGradient(
      (x, weight, bias) => layerNorm(x, weight, bias),
      [{ shape: [2, 3, 7] }, { shape: [7], data: numbers(7, "weight", 0.5, 1.5) }, { shape: [7] }],
    ));

  it("computes only the gradients that are needed", () =>
    scope(() => {
      const weight = Tensor.fromArray([1, 2], [2]);
      weight.requiresGrad = true;
      const x = Tensor.fromArray([1, 2, 3, 5], [2, 2]);
      backward(layerNorm(x, weight, Tensor.zeros([2])), Tensor.fromArray([1, 1, 1, 1], [2, 2]));
      expectClose(weight.grad!, [-2, 2], 1e-5);
      expect(x.grad).toBeUndefined();
    }));

  it("keeps NaN in its row", () =>
    scope(() => {
      const [one, zero] = [Tensor.fromArray([1, 1], [2]), Tensor.zeros([2])];
      const y = values(layerNorm(Tensor.fromArray([Number.NaN, 1, -1, 1], [2, 2]), one, zero));
      expect(y.slice(0, 2)).toEqual([Number.NaN, Number.NaN]);
      expect(y.slice(2).every(Number.isFinite)).toBe(true);
    }));

  it.skipIf(!haveShared).each([
    [7, 768],
    [5, 1408],
    [3, 33],
  ])("agrees with the reference at %d x %d", (rows, width) =>
    scope(() => {
      const { tensors } = loadFixture("ops");
      const data = (name: string) => tensors.get(`layer_norm_${rows}x${width}.${name}`)!.data as Float32Array;
      const [x, weight, bias] = ["x", "weight", "bias"].map((name) =>
        Tensor.fromArray(data(name), name === "x" ? [rows, width] : [width]),
      );
      for (const leaf of [x, weight, bias]) leaf.requiresGrad = true;
      const y = layerNorm(x, weight, bias);
      backward(y, Tensor.fromArray(data("grad_out"), [rows, width]));
      expectClose(y, data("out"), 5e-6); // one row has mean 50
      expectClose(x.grad!, data("grad_x"), 5e-6);
      expectClose(weight.grad!, data("grad_weight"), 5e-6);
      expectClose(bias.grad!, data("grad_bias"), 5e-6);
    }),
  );

  it("refuses a weight that does not match", () =>
    scope(() => {
      const [x, three] = [Tensor.zeros([2, 4]), Tensor.zeros([3])];
      expect(() => layerNorm(x, three, three)).toThrow(
        /layerNorm: expected weight of shape \[4\]; got f32\[3\]\. Hint: it must match the last axis of x/,
      );
      expect(() => layerNorm(x, x, x, { epsilon: 1 } as object)).toThrow(/layerNorm: expected options out of eps/);
    }));
});
