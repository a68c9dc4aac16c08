// Ranges along an axis, and their transpose, zero padding. Cost: one copy of the result.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * `length` entries of x along `axis`, from `start` on; other axes whole. Any dtype.
 * @throws VideomaeError when the range leaves the axis
 */
export const slice: (x: Tensor, axis: number, start: number, length: number) => Tensor = defineOp(
  "slice",
  (_save, x, axis, start, length) => {
    const size = x.shape.at(axis) ?? 0;
    return [
      nativeOp("slice", { x, axis, start, length }).y,
      (gradY) => [nativeOp("pad", { x: gradY, axis, before: start, after: size - start - length }).y],
    ];
  },
);

/** x with `before` zeros put before and `after` zeros put behind it along `axis`. Any dtype. */
export const pad: (x: Tensor, axis: number, before: number, after: number) => Tensor = defineOp(
  "pad",
  (_save, x, axis, before, after) => {
    const length = x.shape.at(axis) ?? 0;
    return [
      nativeOp("pad", { x, axis, before, after }).y,
      (gradY) => [nativeOp("slice", { x: gradY, axis, start: before, length }).y],
    ];
  },
);
