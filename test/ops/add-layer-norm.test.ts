import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { defineJointOp } from "#lib/autograd/define-op.js";
import { add, mul } from "#lib/ops/binary.js";
import { addLayerNorm, layerNorm } from "#lib/ops/layer-norm.js";
import { sum } from "#lib/ops/sum.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient, numbers, values } from "./check-gradient.js";

const parameters = [{ shape: [7], data: numbers(7, "weight", 0.5, 1.5) }, { shape: [7] }];

describe("addLayerNorm", () => {
  it.each([
    ["both results", (s: Tensor, y: Tensor) => add(mul(s, s), y)],
    ["the norm alone", (_s: Tensor, y: Tensor) => y],
  ] as const)("has the right gradients through %s", (_name, combine) => {
    checkGradient(
      (x, residual, weight, bias) => {
        const { sum, y } = addLayerNorm(x, residual, weight, bias);
        return combine(sum, y);
      },
      [{ shape: [2, 3, 7] }, { shape: [2, 3, 7], data: numbers(42, "residual") }, ...parameters],
    );
    checkGradient(
      (x, weight, bias) => {
        const { sum, y } = addLayerNorm(x, undefined, weight, bias);
        return combine(sum, y);
      },
      [{ shape: [2, 3, 7] }, ...parameters],
    );
  });

  it("gives the sum's gradient to both where nothing reaches the norm", () => {
    const [weight, bias] = ["weight", "bias"].map((name) => Tensor.fromArray(Float64Array.from(numbers(7, name)), [7]));
    const squared = (x: Tensor, residual?: Tensor) => {
      const { sum } = addLayerNorm(x, residual, weight, bias);
      return mul(sum, sum);
    };
    checkGradient(squared, [{ shape: [2, 3, 7] }, { shape: [2, 3, 7], data: numbers(42, "residual") }]);
    checkGradient(squared, [{ shape: [2, 3, 7] }]);
    weight.dispose();
    bias.dispose();
  });

  it.each(["f32", "bf16", "f64"] as const)("has the bits of the addition and the norm in turn, in %s", (dtype) =>
    scope(() => {
      const wide = dtype === "f64" ? "f64" : "f32";
      const [x, residual] = ["x", "residual"].map((name) => Tensor.fromArray(numbers(5 * 96, name), [5, 96], dtype));
      const [weight, bias] = ["weight", "bias"].map((name) => Tensor.fromArray(numbers(96, name), [96], wide));
      const fused = addLayerNorm(x, residual, weight, bias);
      const added = add(x, residual);
      expect(values(fused.sum)).toEqual(values(added));
      expect(values(fused.y)).toEqual(values(layerNorm(added, weight, bias)));
    }),
  );

  it("gives the gradients that two ways of one tensor have", () =>
    scope(() => {
      const gradients = (fused: boolean) => {
        const x = Tensor.fromArray(numbers(5 * 96, "x"), [5, 96]);
        const [weight, bias] = ["weight", "bias"].map((name) => Tensor.fromArray(numbers(96, name), [96]));
        for (const leaf of [x, weight, bias]) leaf.requiresGrad = true;
        const h = mul(x, x);
        const { sum: around, y } = fused
          ? addLayerNorm(h, undefined, weight, bias)
          : { sum: h, y: layerNorm(h, weight, bias) };
        backward(sum(mul(add(around, y), y)));
        return [x, weight, bias].map((leaf) => values(leaf.grad!));
      };
      expect(gradients(true)).toEqual(gradients(false));
    }));
});

describe("an op with several results", () => {
  const split = defineJointOp("split", (_save, x: Tensor) => {
    const [a, b] = [mul(x, Tensor.fromArray([2], [1])), mul(x, Tensor.fromArray([3], [1]))];
    return [
      [a, b] as const,
      (gradients) => {
        reached = gradients.map((g) => g !== undefined);
        const parts = gradients.flatMap((g, i) => (g ? [mul(g, Tensor.fromArray([i + 2], [1]))] : []));
        return [parts.reduce((left, right) => add(left, right))];
      },
    ];
  });
  let reached: boolean[] = [];

  it("is told which of them a gradient has reached", () =>
    scope(() => {
      const x = Tensor.fromArray([1, 1], [2]);
      x.requiresGrad = true;
      const [a, b] = split(x);
      backward(sum(add(add(a, b), a)));
      expect(reached).toEqual([true, true]);
      expect(values(x.grad!)).toEqual([7, 7]);
      const [, only] = split(x);
      backward(sum(only));
      expect(reached).toEqual([false, true]);
      expect(values(x.grad!)).toEqual([10, 10]);
    }));
});
