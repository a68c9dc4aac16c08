// The ops that move elements: reshape, permute, transpose, slice, pad, cat, stack.
import { describe, expect, it } from "vitest";
import { cat, stack } from "#lib/ops/cat.js";
import { permute, transpose } from "#lib/ops/permute.js";
import { reshape } from "#lib/ops/reshape.js";
import { pad, slice } from "#lib/ops/slice.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient, values } from "./check-gradient.js";

const count = (shape: number[]) =>
  Tensor.fromArray(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    shape,
  );

describe("reshape", () => {
  it("shares memory and works out one size", () =>
    scope(() => {
      const x = count([2, 6]);
      const y = reshape(x, [3, -1]);
      expect(y.shape).toEqual([3, 4]);
      x.write(new Float32Array(12).fill(7));
      expect(values(y)[11]).toBe(7);
      expect(reshape(x, [-1]).shape).toEqual([12]);
      expect(reshape(Tensor.zeros([0, 3]), [-1, 3]).shape).toEqual([0, 3]);
      expect(reshape(count([1]), []).shape).toEqual([]);
    }));

  it("has the right gradient", () => checkGradient((x) => reshape(x, [-1, 4]), [{ shape: [2, 3, 2] }]));

  it("refuses other counts", () =>
    scope(() => {
      for (const shape of [[5], [-1, -1], [-1, 5], [-2, 6], [1.5, 8], [0, -1]]) {
        expect(() => reshape(count([12]), shape)).toThrow(/reshape: expected a shape of 12 elements, like f32\[12\]/);
      }
    }));
});

describe("permute", () => {
  it("reorders axes of any dtype", () =>
    scope(() => {
      const y = permute(count([2, 3, 2]), [2, 0, 1]);
      expect(y.shape).toEqual([2, 2, 3]);
      expect(values(y)).toEqual([0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]);
      expect(values(transpose(Tensor.fromArray(Uint8Array.of(1, 2, 3, 4), [2, 2])))).toEqual([1, 3, 2, 4]);
      expect(transpose(count([2, 3, 4]), 0, -1).shape).toEqual([4, 3, 2]);
      expect(values(permute(count([]), []))).toEqual([0]);
    }));

  it("is undone by its inverse on eight axes", () =>
    scope(() => {
      const x = count([2, 1, 3, 2, 1, 2, 2, 3]);
      const y = permute(permute(x, [3, 1, 7, 0, 6, 2, 5, 4]), [3, 1, 5, 0, 7, 6, 4, 2]);
      expect(y.shape).toEqual(x.shape);
      expect(values(y)).toEqual(values(x));
    }));

  it("has the right gradient", () => {
    checkGradient((x) => permute(x, [1, -1, 0]), [{ shape: [2, 3, 4] }]);
    checkGradient((x) => transpose(x, 0, 1), [{ shape: [2, 3, 4] }]);
  });

  it("refuses axes that are not each named once", () =>
    scope(() => {
      for (const axes of [[0], [0, 0], [0, 1, 2]]) {
        expect(() => permute(count([2, 3]), axes)).toThrow(/permute: expected /);
      }
      expect(() => transpose(count([2, 3]), 0, 2)).toThrow(/transpose: expected axes from -2 to 1; got 2/);
    }));
});

describe("slice and pad", () => {
  it("take a range of an axis, and put it back among zeros", () =>
    scope(() => {
      const x = count([2, 4]);
      const y = slice(x, 1, 1, 2);
      expect(values(y)).toEqual([1, 2, 5, 6]);
      expect(values(slice(x, -2, 1, 1))).toEqual([4, 5, 6, 7]);
      expect(values(pad(y, -1, 1, 1))).toEqual([0, 1, 2, 0, 0, 5, 6, 0]);
      expect(slice(x, 0, 2, 0).shape).toEqual([0, 4]);
      expect(values(pad(Tensor.fromArray(Int32Array.of(5), [1]), 0, 0, 2))).toEqual([5, 0, 0]);
    }));

  it("have the right gradients", () => {
    checkGradient((x) => slice(x, 1, 1, 2), [{ shape: [2, 4, 3] }]);
    checkGradient((x) => slice(x, -1, 0, 2), [{ shape: [2, 4, 3] }]);
    checkGradient((x) => pad(x, 1, 2, 1), [{ shape: [2, 2, 3] }]);
  });

  it("refuse ranges outside the axis", () =>
    scope(() => {
      const x = count([2, 4]);
      expect(() => slice(x, 1, 3, 2)).toThrow(
        /slice: expected a range inside axis 1 of f32\[2, 4\]; got start 3, length 2/,
      );
      expect(() => slice(x, 1, -1, 2)).toThrow(/slice: expected a range/);
      expect(() => slice(x, 2, 0, 1)).toThrow(/slice: expected an axis from -2 to 1/);
      expect(() => slice(x, 0, 0.5, 1)).toThrow(/slice: expected an integer as start/);
      expect(() => pad(x, 0, -1, 0)).toThrow(/pad: expected before and after of 0 or more/);
    }));
});

describe("cat and stack", () => {
  it("join tensors", () =>
    scope(() => {
      const [x, y] = [count([2, 2]), count([2, 1])];
      expect(values(cat([x, y], 1))).toEqual([0, 1, 0, 2, 3, 1]);
      expect(values(cat([x, count([1, 2])]))).toEqual([0, 1, 2, 3, 0, 1]);
      expect(stack([x, x]).shape).toEqual([2, 2, 2]);
      expect(values(stack([x, x], -1))).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    }));

  it("have the right gradients", () => {
    const shapes = [{ shape: [2, 1, 3] }, { shape: [2, 4, 3] }];
    checkGradient((a, b) => cat([a, b, a], 1), shapes);
    checkGradient((a, b) => cat([a, b], -2), shapes);
    checkGradient((a, b) => stack([a, b], 1), [{ shape: [2, 3] }, { shape: [2, 3] }]);
  });

  it("refuse tensors that do not fit", () =>
    scope(() => {
      const x = count([2, 2]);
      expect(() => cat([], 0)).toThrow(/cat: expected one tensor or more; got none/);
      expect(() => cat([x, count([3, 3])], 1)).toThrow(
        /cat: expected tensors like f32\[2, 2\] except for axis 1; got f32\[3, 3\]/,
      );
      expect(() => cat([x, Tensor.zeros([2, 2], "f64")], 1)).toThrow(/got f64\[2, 2\]/);
      expect(() => cat([x, count([2])], 0)).toThrow(/got f32\[2\]/);
    }));
});
