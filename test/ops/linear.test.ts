import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { linear, packWeight } from "#lib/ops/linear.js";
import { instructionSet } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { haveShared, loadFixture } from "../fixtures.js";
import { checkGradient, expectClose } from "./check-gradient.js";

describe("linear", () => {
  const [x, weight, bias, residual] = [{ shape: [2, 5, 3] }, { shape: [4, 3] }, { shape: [4] }, { shape: [2, 5, 4] }];

  it("has the gradient that differences give, with every epilogue", () => {
    checkGradient((x, w) => linear(x, w), [x, weight]);
    checkGradient((x, w, b) => linear(x, w, { bias: b }), [x, weight, bias]);
    checkGradient((x, w, b) => linear(x, w, { bias: b, gelu: true }), [x, weight, bias]);
    checkGradient((x, w, r) => linear(x, w, { residual: r }), [x, weight, residual]);
    checkGradient((x, w, b, r) => linear(x, w, { bias: b, residual: r, gelu: true }), [x, weight, bias, residual]);
  });

  it.skipIf(!haveShared)("matches the reference", () => {
    const { tensors } = loadFixture("ops");
    const reference = (key: string) => tensors.get(`linear_13x37x29.${key}`)!;
    scope(() => {
      const leaf = (key: string) => {
        const tensor = Tensor.fromArray(reference(key).data as Float32Array, reference(key).shape);
        tensor.requiresGrad = true;
        return tensor;
      };
      const [x, weight, bias] = [leaf("x"), leaf("weight"), leaf("bias")];
      const y = linear(x, weight, { bias });
      expectClose(y, reference("out").data as Float32Array);
      backward(y, Tensor.fromArray(reference("grad_out").data as Float32Array, y.shape));
      expectClose(x.grad!, reference("grad_x").data as Float32Array);
      expectClose(weight.grad!, reference("grad_weight").data as Float32Array);
      expectClose(bias.grad!, reference("grad_bias").data as Float32Array);
    });
  });

  it("propagates NaN to its row alone", () => {
    scope(() => {
      const x = Tensor.fromArray([1, 2, Number.NaN, 4], [2, 2]);
      const y = linear(x, Tensor.fromArray([1, 1, 2, 2], [2, 2])).readSync();
      expect([...y].map(Number.isNaN)).toEqual([false, false, true, true]);
    });
  });

  it("gives the same bits with a packed weight, and refuses one that was packed for another product", () => {
    scope(() => {
      const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * i));
      const x = Tensor.fromArray(numbers(5 * 70), [5, 70]);
      const weight = Tensor.fromArray(numbers(33 * 70), [33, 70]);
      const packed = packWeight(weight);
      expect(packed.dtype).toBe("u8");
      expect(linear(x, weight, { packed, gelu: true }).readSync()).toEqual(
        linear(x, weight, { gelu: true }).readSync(),
      );
      const other = packWeight(Tensor.zeros([33, 7]));
      expect(() => linear(x, weight, { packed: other })).toThrow(
        /linear: expected packed of shape.*pack the weight again/,
      );
      const before = instructionSet();
      try {
        instructionSet("portable");
        if (before !== "portable") expect(() => linear(x, weight, { packed })).toThrow(/packed/);
      } finally {
        instructionSet(before as Parameters<typeof instructionSet>[0]);
      }
    });
  });

  it("says what does not fit", () => {
    scope(() => {
      const x = Tensor.zeros([2, 3]);
      const weight = Tensor.zeros([4, 3]);
      expect(() => linear(x, Tensor.zeros([4, 5]))).toThrow(
        "linear: expected x of shape [..., 5] to match weight f32[4, 5]; got f32[2, 3]",
      );
      expect(() => linear(x, Tensor.zeros([4, 3], "f64"))).toThrow(/weight of dtype f32; got f64/);
      expect(() => linear(x, weight, { bias: Tensor.zeros([3]) })).toThrow(/bias of shape \[4\]/);
      expect(() => linear(x, weight, { residual: Tensor.zeros([2, 3]) })).toThrow(/residual of shape \[2, 4\]/);
      expect(() => linear(Tensor.zeros([2, 3], "i32"), weight)).toThrow(/x of dtype f32, f64 or bf16/);
    });
  });
});
