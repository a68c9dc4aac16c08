import { describe, expect, it } from "vitest";
import { assembleDecoder } from "#lib/ops/assemble-decoder.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient } from "./check-gradient.js";

const index = (rows: number[][]) => Tensor.fromArray(Int32Array.from(rows.flat()), [rows.length, rows[0].length]);

describe("assembleDecoder", () => {
  it("has the gradient that differences give", () => {
    checkGradient(
      (x, mask) =>
        assembleDecoder(
          x,
          mask,
          Tensor.zeros([4, 3], "f64"),
          index([
            [0, 2],
            [1, 3],
          ]),
          index([
            [1, 2, 3],
            [0, 1, 2],
          ]),
        ),
      [{ shape: [2, 2, 3] }, { shape: [1, 1, 3] }],
    );
  });

  it("puts visible tokens first, then mask tokens, each with its position", () => {
    scope(() => {
      const x = Tensor.fromArray([10, 20], [1, 2, 1]);
      const position = Tensor.fromArray([0.1, 0.2, 0.3, 0.4], [4, 1]);
      const y = assembleDecoder(x, Tensor.fromArray([5], [1, 1, 1]), position, index([[1, 3]]), index([[0, 1]]));
      expect(y.shape).toEqual([1, 4, 1]);
      for (const [i, value] of [10.2, 20.4, 5.1, 5.2].entries()) expect(y.readSync()[i]).toBeCloseTo(value, 5);
    });
  });

  it("says what does not fit", () => {
    scope(() => {
      const [x, mask, position] = [Tensor.zeros([1, 2, 3]), Tensor.zeros([1, 1, 3]), Tensor.zeros([4, 3])];
      expect(() => assembleDecoder(x, mask, position, index([[0]]), index([[1]]))).toThrow(
        /one visible index a row of x/,
      );
      expect(() => assembleDecoder(x, mask, position, index([[0, 1]]), index([[4]]))).toThrow(
        /decoded with values from 0 to 3/,
      );
      expect(() => assembleDecoder(x, Tensor.zeros([3]), position, index([[0, 1]]), index([[2]]))).toThrow(
        /maskToken of shape \[1, 1, 3\]/,
      );
    });
  });
});
