import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { withRandomKey } from "#lib/autograd/random-key.js";
import { dropout, dropPath } from "#lib/ops/dropout.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient, values } from "./check-gradient.js";

const ones = (shape: number[]) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return Tensor.fromArray(new Float32Array(size).fill(1), shape);
};
const path = "blocks.0.mlp";

describe("dropout", () => {
  it("zeroes at the given rate and scales the rest", () =>
    scope(() => {
      const y = values(dropout(ones([100_000]), 0.2, { path }));
      const kept = y.filter((v) => v !== 0);
      expect(kept.every((v) => v === 1.25)).toBe(true);
      expect(Math.abs(kept.length / y.length - 0.8)).toBeLessThan(0.01);
    }));

  it("is x itself at probability 0, and zeros at 1", () =>
    scope(() => {
      const x = ones([4]);
      expect(dropout(x, 0, { path })).toBe(x);
      expect(values(dropout(x, 1, { path }))).toEqual([0, 0, 0, 0]);
    }));

  it("drops the same elements for the same key and path, others for others", () =>
    scope(() => {
      const x = ones([64]);
      const key = { seed: 3, update: 5, microStep: 1 };
      const at = (k: typeof key, p = path) => values(withRandomKey(k, () => dropout(x, 0.5, { path: p })));
      const first = at(key);
      expect(at(key)).toEqual(first);
      expect(at({ ...key, seed: 4 })).not.toEqual(first);
      expect(at({ ...key, seed: 3 + 2 ** 32 })).not.toEqual(first);
      expect(at({ ...key, update: 6 })).not.toEqual(first);
      expect(at({ ...key, microStep: 2 })).not.toEqual(first);
      expect(at(key, "blocks.1.mlp")).not.toEqual(first);
    }));

  it("has a gradient through the same mask", () =>
    scope(() => {
      const x = ones([1000]);
      x.requiresGrad = true;
      const y = dropout(x, 0.3, { path });
      backward(y, ones([1000]));
      expect(values(x.grad!)).toEqual(values(y));
      checkGradient((x) => dropout(x, 0.4, { path }), [{ shape: [3, 5] }]);
    }));

  it("refuses other probabilities", () =>
    scope(() => {
      for (const p of [-0.1, 1.1, Number.NaN]) {
        expect(() => dropout(ones([2]), p, { path })).toThrow(/dropout: expected a probability from 0 to 1/);
      }
    }));
});

describe("dropPath", () => {
  it("keeps or drops whole samples", () =>
    scope(() => {
      const y = values(dropPath(ones([1000, 3, 2]), 0.25, { path }));
      const rows = Array.from({ length: 1000 }, (_, i) => y.slice(i * 6, i * 6 + 6));
      expect(rows.every((row) => row.every((v) => v === row[0]))).toBe(true);
      const kept = rows.filter((row) => row[0] !== 0);
      expect(kept.every((row) => row[0] === Math.fround(1 / 0.75))).toBe(true);
      expect(Math.abs(kept.length / 1000 - 0.75)).toBeLessThan(0.05);
    }));

  it("has the right gradient", () => checkGradient((x) => dropPath(x, 0.5, { path }), [{ shape: [6, 2, 2] }]));

  it("refuses a tensor without samples", () =>
    scope(() => {
      expect(() => dropPath(ones([]), 0.5, { path })).toThrow(
        /dropout: expected x of shape \[B, \.\.\.\] with perSample/,
      );
    }));
});
