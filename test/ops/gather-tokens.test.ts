import { describe, expect, it } from "vitest";
import { gatherTokens, scatterTokens } from "#lib/ops/gather-tokens.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient } from "./check-gradient.js";

const index = (rows: number[][]) => Tensor.fromArray(Int32Array.from(rows.flat()), [rows.length, rows[0].length]);

describe("gatherTokens and scatterTokens", () => {
  it("have the gradients that differences give", () => {
    checkGradient(
      (x) =>
        gatherTokens(
          x,
          index([
            [2, 0],
            [1, 1],
          ]),
        ),
      [{ shape: [2, 3, 4] }],
    );
    checkGradient(
      (y) =>
        scatterTokens(
          y,
          index([
            [2, 0],
            [1, 1],
          ]),
          3,
        ),
      [{ shape: [2, 2, 4] }],
    );
  });

  it("take rows by index, and add them back", () => {
    scope(() => {
      const x = Tensor.fromArray([1, 2, 3, 4, 5, 6], [1, 3, 2]);
      const y = gatherTokens(x, index([[2, 0, 2]]));
      expect([...y.readSync()]).toEqual([5, 6, 1, 2, 5, 6]);
      expect([...scatterTokens(y, index([[2, 0, 2]]), 3).readSync()]).toEqual([1, 2, 0, 0, 10, 12]);
    });
  });

  it("say what does not fit", () => {
    scope(() => {
      const x = Tensor.zeros([1, 3, 2]);
      expect(() => gatherTokens(x, index([[3]]))).toThrow(/index with values from 0 to 2; got 3 at element 0/);
      expect(() => gatherTokens(x, index([[-1]]))).toThrow(/got -1 at element 0/);
      expect(() => gatherTokens(x, Tensor.zeros([1, 1]))).toThrow(/index of dtype i32/);
      expect(() => scatterTokens(x, index([[0, 1]]), 3)).toThrow(/one index a row of y/);
    });
  });
});
