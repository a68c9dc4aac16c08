import { describe, expect, it } from "vitest";
import { backward } from "#lib/autograd/backward.js";
import { cast } from "#lib/ops/cast.js";
import { sum } from "#lib/ops/sum.js";
import type { DType } from "#lib/tensor/dtype.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";
import { checkGradient, numbers, values } from "./check-gradient.js";

const dtypes: DType[] = ["f64", "f32", "bf16", "u8", "i32", "bool"];
const infinity = Number.POSITIVE_INFINITY;
const f64 = (...data: number[]) => Tensor.fromArray(Float64Array.from(data), [data.length]);

describe("cast", () => {
  it.each(dtypes.flatMap((from) => dtypes.map((to) => [from, to] as const)))("%s to %s keeps 0 and 1", (from, to) =>
    scope(() => {
      const y = cast(cast(f64(0, 1, 1), from), to);
      expect(y.dtype).toBe(to);
      expect(values(cast(y, "f64"))).toEqual([0, 1, 1]);
    }),
  );

  it("truncates and clamps to integers, with NaN as 0", () =>
    scope(() => {
      const x = f64(1.9, -1.9, 255.5, -0.5, 1e20, -infinity, Number.NaN);
      expect(values(cast(x, "u8"))).toEqual([1, 0, 255, 0, 255, 0, 0]);
      expect(values(cast(x, "i32"))).toEqual([1, -1, 255, 0, 2147483647, -2147483648, 0]);
      expect(values(cast(x, "bool"))).toEqual([1, 1, 1, 1, 1, 1, 1]);
      expect(values(cast(Tensor.fromArray(Int32Array.of(-5, 300), [2]), "u8"))).toEqual([0, 255]);
      const f32 = cast(Tensor.fromArray([2147483648, -2147483648], [2]), "i32");
      expect(values(f32)).toEqual([2147483647, -2147483648]);
    }));

  it("rounds to bf16 to nearest, ties to even", () =>
    scope(() => {
      // bf16 has 8 significant bits: neighbours of 1 are 1 - 2^-8 and 1 + 2^-7.
      const x = [
        1 + 2 ** -8,
        1 + 3 * 2 ** -8,
        1 + 2 ** -8 + 2 ** -20,
        1 - 2 ** -9,
        -(1 + 2 ** -8),
        3.4e38,
        infinity,
        -0,
      ];
      const rounded = [1, 1 + 2 ** -6, 1 + 2 ** -7, 1, -1, infinity, infinity, -0];
      expect(values(cast(cast(Tensor.fromArray(x, [8]), "bf16"), "f32"))).toEqual(rounded);
      expect(values(cast(cast(f64(...x), "bf16"), "f32"))).toEqual(rounded);
    }));

  it("rounds f64 to bf16 once, not by way of f32", () =>
    scope(() => {
      const x = f64(1 + 2 ** -8 + 2 ** -40, -(1 + 2 ** -8 + 2 ** -40), 1 + 2 ** -8 - 2 ** -40);
      expect(values(cast(cast(x, "bf16"), "f64"))).toEqual([1 + 2 ** -7, -(1 + 2 ** -7), 1]);
    }));

  it("keeps NaN in bf16, whatever its bits", () =>
    scope(() => {
      const bits = new Float32Array(Uint32Array.of(0x7fc00000, 0xffffffff, 0x7f800001).buffer);
      expect(values(cast(cast(Tensor.fromArray(bits, [3]), "bf16"), "f32"))).toEqual(new Array(3).fill(Number.NaN));
      expect(values(cast(cast(f64(Number.NaN), "bf16"), "f64"))).toEqual([Number.NaN]);
    }));

  it("passes gradients between real dtypes, and no history on to others", () =>
    scope(() => {
      checkGradient((x) => cast(x, "f64"), [{ shape: [3] }]);
      const x = Tensor.fromArray([1.5, 2.5], [2]);
      x.requiresGrad = true;
      backward(sum(cast(x, "f64")));
      expect(x.grad!.dtype).toBe("f32");
      expect(values(x.grad!)).toEqual([1, 1]);
      expect(cast(x, "i32").requiresGrad).toBe(false);
    }));

  it("refuses unknown dtypes", () =>
    scope(() => {
      expect(() => cast(f64(...numbers(2, "x")), "f16" as DType)).toThrow(
        /cast: expected dtype out of f64, f32, bf16, u8, i32, bool; got/,
      );
    }));
});
