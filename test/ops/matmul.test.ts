import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { add } from "#lib/ops/binary.js";
import { matmul } from "#lib/ops/matmul.js";
import { transpose } from "#lib/ops/permute.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, loadFixture } from "../fixtures.js";
import { checkGradient, expectClose, numbers, values } from "./check-gradient.js";

const f64 = (data: readonly number[], shape: readonly number[]) => Tensor.fromArray(Float64Array.from(data), shape);

function product(a: readonly number[], b: readonly number[], m: number, k: number, n: number): number[] {
  const y = new Array<number>(m * n).fill(0);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) for (let l = 0; l < k; l++) y[i * n + j] += a[i * k + l] * b[l * n + j];
  }
  return y;
}

describe("matmul", () => {
  const [m, k, n] = [5, 7, 6];
  const [a, b] = [numbers(2 * m * k, "a"), numbers(3 * k * n, "b")];
  const variants = [0, 1, 2, 3].map((bits) => ({ transposeA: (bits & 1) > 0, transposeB: (bits & 2) > 0 }));

  it.each(variants)("broadcasts batch axes with %o", (options) =>
    scope(() => {
      const left = f64(a, [2, 1, m, k]);
      const right = f64(b, [3, k, n]);
      const y = matmul(
        options.transposeA ? transpose(left) : left,
        options.transposeB ? transpose(right) : right,
        options,
      );
      expect(y.shape).toEqual([2, 3, m, n]);
      const expected = [0, 1].flatMap((i) =>
        [0, 1, 2].flatMap((j) =>
          product(a.slice(i * m * k, (i + 1) * m * k), b.slice(j * k * n, (j + 1) * k * n), m, k, n),
        ),
      );
      expectClose(y, expected, 1e-14);
    }),
  );

  it.each(variants)("has the right gradients with %o", (options) => {
    const shapeA = options.transposeA ? [k, m] : [m, k];
    const shapeB = options.transposeB ? [n, k] : [k, n];
    const times = (x: Tensor, y: Tensor) => matmul(x, y, options);
    checkGradient(times, [{ shape: shapeA }, { shape: shapeB }]);
    checkGradient(times, [{ shape: [2, ...shapeA] }, { shape: shapeB }]);
    checkGradient(times, [{ shape: shapeA }, { shape: [2, ...shapeB] }]);
    checkGradient(times, [{ shape: [2, 1, ...shapeA] }, { shape: [1, 2, ...shapeB] }]);
  });

  it("multiplies empty matrices", () =>
    scope(() => {
      expect(values(matmul(Tensor.zeros([2, 0]), Tensor.zeros([0, 3])))).toEqual([0, 0, 0, 0, 0, 0]);
      expect(matmul(Tensor.zeros([4, 0, 3]), Tensor.zeros([3, 5])).shape).toEqual([4, 0, 5]);
    }));

  it("propagates NaN", () =>
    scope(() => {
      const y = matmul(Tensor.fromArray([1, Number.NaN, 3, 4], [2, 2]), Tensor.fromArray([1, 0, 0, 1], [2, 2]));
      expect(values(y)).toEqual([Number.NaN, Number.NaN, 3, 4]);
    }));

  it.skipIf(!haveShared)("agrees with the reference linear layer", () =>
    scope(() => {
      const { tensors } = loadFixture("ops");
      const of = (name: string) => {
        const { data, shape } = tensors.get(`linear_13x37x29.${name}`)!;
        return Tensor.fromArray(data as Float32Array, shape);
      };
      const inputs = { x: of("x"), weight: of("weight"), bias: of("bias") };
      for (const leaf of Object.values(inputs)) leaf.requiresGrad = true;
      const y = add(matmul(inputs.x, inputs.weight, { transposeB: true }), inputs.bias);
      backward(y, of("grad_out"));
      expectClose(y, values(of("out")), 1e-6);
      for (const [name, leaf] of Object.entries(inputs)) expectClose(leaf.grad!, values(of(`grad_${name}`)), 1e-6);
    }),
  );

  it("refuses operands that do not fit", () =>
    scope(() => {
      const x = Tensor.zeros([2, 3]);
      expect(() => matmul(x, Tensor.zeros([2, 3]))).toThrow(
        /matmul: expected b of shape \[\.\.\., K, N\] with K = 3, as in a f32\[2, 3\]; got f32\[2, 3\]/,
      );
      expect(() => matmul(x, Tensor.zeros([3]))).toThrow(/matmul: expected b of two or more axes; got f32\[3\]/);
      expect(() => matmul(x, Tensor.zeros([3, 2], "f64"))).toThrow(/b of dtype f32; got f64\[3, 2\]/);
      expect(() => matmul(Tensor.zeros([2, 2, 3]), Tensor.zeros([4, 3, 2]))).toThrow(/shapes that broadcast/);
      expect(() => matmul(x, x, { transpose: true } as object)).toThrow(/matmul: expected options/);
    }));
});
