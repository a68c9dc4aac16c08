import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { mul } from "#lib/ops/binary.js";
import { crossEntropy } from "#lib/ops/cross-entropy.js";
import { logSoftmax } from "#lib/ops/softmax.js";
import { mean, sum } from "#lib/ops/sum.js";
import { neg } from "#lib/ops/unary.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, loadFixture } from "../fixtures.js";
import { checkGradient, expectClose, numbers, values } from "./check-gradient.js";

const classes = (list: number[]) => Tensor.fromArray(Int32Array.from(list), [list.length]);

describe("crossEntropy", () => {
  it("is the mean of -sum t log p", () =>
    scope(() => {
      const logits = Tensor.fromArray(Float64Array.from(numbers(12, "logits", -3, 3)), [3, 4]);
      const [on, off] = [0.9 + 0.025, 0.025];
      const t = Float64Array.of(off, off, on, off, on, off, off, off, off, off, off, on);
      const expected = mean(neg(sum(mul(logSoftmax(logits), Tensor.fromArray(t, [3, 4])), { axes: [1] })));
      const loss = crossEntropy(logits, classes([2, 0, 3]), { smoothing: 0.1 });
      expect(loss.shape).toEqual([]);
      expectClose(loss, values(expected), 1e-14);
    }));

  it("keeps small losses of large logits", () =>
    scope(() => {
      const loss = crossEntropy(Tensor.fromArray([1000, 990], [1, 2]), classes([0]));
      expectClose(loss, [Math.log1p(Math.exp(-10))], 1e-3); // 4.5e-5, with f32's rounding of 1 + 4.5e-5
    }));

  it.each([0, 0.1, 1])("has the right gradient with smoothing %d", (smoothing) =>
    checkGradient(
      (logits) => crossEntropy(logits, classes([2, 0, 3]), { smoothing }),
      [{ shape: [3, 4], data: numbers(12, "gradient", -3, 3) }],
    ),
  );

  it("propagates NaN", () =>
    scope(() => {
      const loss = crossEntropy(Tensor.fromArray([0, Number.NaN, 1, 2], [2, 2]), classes([0, 1]));
      expect(values(loss)).toEqual([Number.NaN]);
    }));

  it.skipIf(!haveShared).each([
    ["cross_entropy", 0],
    ["label_smoothing", 0.1],
  ])("agrees with the reference: %s", (name, smoothing) =>
    scope(() => {
      const { json, tensors } = loadFixture("finetune_p16");
      const logits = Tensor.fromArray(tensors.get("logits")!.data as Float32Array, [4, 10]);
      logits.requiresGrad = true;
      const target = classes(Array.from(tensors.get("input.target")!.data as ArrayLike<number | bigint>, Number));
      const loss = crossEntropy(logits, target, { smoothing });
      backward(loss);
      expectClose(loss, [json.losses[name].loss_float64], 1e-6);
      expectClose(logits.grad!, tensors.get(`${name}.grad_logits`)!.data as Float32Array, 2e-6);
    }),
  );

  it("refuses classes, shapes and options that do not fit", () =>
    scope(() => {
      const logits = Tensor.zeros([2, 3]);
      expect(() => crossEntropy(logits, classes([0, 3]))).toThrow(
        /crossEntropy: expected target with values from 0 to 2; got 3 at element 1/,
      );
      expect(() => crossEntropy(logits, classes([0, -1]))).toThrow(/got -1 at element 1/);
      expect(() => crossEntropy(logits, classes([0]))).toThrow(/target of shape \[2\]; got i32\[1\]/);
      expect(() => crossEntropy(logits, Tensor.zeros([2]))).toThrow(/target of dtype i32; got f32\[2\]/);
      expect(() => crossEntropy(logits, classes([0, 1]), { smoothing: 1.5 })).toThrow(/smoothing from 0 to 1; got 1.5/);
      expect(() => crossEntropy(logits, classes([0, 1]), { smothing: 0 } as object)).toThrow(
        /did you mean "smoothing"/,
      );
    }));
});
