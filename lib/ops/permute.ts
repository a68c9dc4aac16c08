// Axes in another order. Cost: one pass of memory; tensors are always contiguous.
import { defineOp } from "../autograd/define-op.js";
import { VideomaeError } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * x with its axes reordered: axis k of the result is axis `axes[k]` of x. Any dtype.
 * @throws VideomaeError unless `axes` names every axis once
 */
export const permute: (x: Tensor, axes: readonly number[]) => Tensor = defineOp("permute", (_save, x, axes) => {
  const { rank } = x;
  return [
    nativeOp("permute", { x, axes }).y,
    (gradY) => {
      const inverse = new Array<number>(rank);
      axes.forEach((axis, k) => {
        inverse[axis < 0 ? axis + rank : axis] = k;
      });
      return [nativeOp("permute", { x: gradY, axes: inverse }).y];
    },
  ];
});

/** x with two axes exchanged, by default the last two. Any dtype. */
export function transpose(x: Tensor, i = -2, j = -1): Tensor {
  const index = (axis: number) => {
    if (Number.isInteger(axis) && axis >= -x.rank && axis < x.rank) return axis < 0 ? axis + x.rank : axis;
    throw new VideomaeError({
      op: "transpose",
      expected: `axes from ${-x.rank} to ${x.rank - 1}`,
      got: `${axis} for ${x}`,
    });
  };
  const axes = x.shape.map((_, k) => k);
  [axes[index(i)], axes[index(j)]] = [index(j), index(i)];
  return permute(x, axes);
}
