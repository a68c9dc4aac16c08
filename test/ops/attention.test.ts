import { describe, expect, it } from "vitest";
import { attention } from "#lib/ops/attention.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient } from "./check-gradient.js";

describe("attention", () => {
  it("has the gradient that differences give", () => {
    checkGradient((qkv) => attention(qkv, 1), [{ shape: [1, 1, 6] }]);
    checkGradient((qkv) => attention(qkv, 2), [{ shape: [2, 5, 24] }]);
    checkGradient((qkv) => attention(qkv, 3), [{ shape: [1, 7, 9] }]);
  });

  it("has the gradient that differences give when it goes by cosines", () => {
    checkGradient(
      (qkv, scale) => attention(qkv, 2, scale),
      [{ shape: [2, 4, 18] }, { shape: [2], data: [3, 7] }],
      1e-6,
    );
  });

  it("gives each query the mean of the values when all keys are alike", () => {
    scope(() => {
      const rows = [0, 1, 2, 3].map((n) => [n, -n, 0.5, 0.5, n, 2 * n]);
      const y = attention(Tensor.fromArray(rows.flat(), [1, 4, 6]), 1).readSync();
      for (const [i, value] of [1.5, 3, 1.5, 3, 1.5, 3, 1.5, 3].entries()) expect(y[i]).toBeCloseTo(value, 6);
    });
  });

  it("propagates NaN from a query to its row alone", () => {
    scope(() => {
      const data = Float32Array.from({ length: 3 * 6 }, (_, i) => Math.sin(i));
      data[6] = Number.NaN;
      const y = attention(Tensor.fromArray(data, [1, 3, 6]), 1).readSync();
      expect([...y].map(Number.isNaN)).toEqual([false, false, true, true, false, false]);
    });
  });

  it("says what does not fit", () => {
    scope(() => {
      expect(() => attention(Tensor.zeros([1, 4, 10]), 2)).toThrow(/divisible by 3 \* heads = 6; got f32\[1, 4, 10\]/);
      expect(() => attention(Tensor.zeros([1, 4, 3 * 129]), 1)).toThrow(/head width of at most 128; got 129/);
      expect(() => attention(Tensor.zeros([4, 6]), 1)).toThrow(/qkv of shape \[B, N, 3 \* H \* K\]/);
      expect(() => attention(Tensor.zeros([1, 4, 12]), 2, Tensor.zeros([3]))).toThrow(/logitScale of shape \[2\]/);
    });
  });
});
