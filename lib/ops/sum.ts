// Sums and means over axes, and their transpose, repetition. f32 sums are taken over a tree of blocks (native/ops/sum.h),
// so their error grows with the logarithm of the count.
import { defineOp } from "../autograd/define-op.js";
import { rejectUnknownOptions } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";
import { mul } from "./binary.js";
import { sumTo } from "./sum-to.js";

/** Options of sum and mean. */
export interface ReductionOptions {
  /** Axes to reduce; negative ones count from the last. By default all. */
  readonly axes?: readonly number[];
  /** Whether reduced axes stay, with size 1. By default they go. */
  readonly keepDims?: boolean;
}

const sumOp = defineOp("sum", (_save, x: Tensor, { axes = [], keepDims = false }: ReductionOptions) => {
  const { shape } = x;
  const reduced = axes.length === 0 ? shape.map((_, i) => i) : axes.map((axis) => (axis < 0 ? axis + x.rank : axis));
  const kept = shape.map((size, i) => (reduced.includes(i) ? 1 : size));
  return [nativeOp("sum", { x, axes, keepDims }).y, (gradY) => [nativeOp("expand", { x: gradY.view(kept), shape }).y]];
});

/**
 * The sum of x (f32 or f64) over some axes, by default all (a result of shape []).
 * @throws VideomaeError when x has no such axis
 */
export function sum(x: Tensor, options: ReductionOptions = {}): Tensor {
  rejectUnknownOptions("sum", options, ["axes", "keepDims"]);
  return sumOp(x, options);
}

/** The mean of x (f32 or f64) over some axes, by default all (a result of shape []). NaN over no elements. */
export function mean(x: Tensor, options: ReductionOptions = {}): Tensor {
  return scope(() => {
    const total = sum(x, options);
    return keep(mul(total, total.size / x.size));
  });
}

/**
 * x repeated to a shape: axes of size 1 and missing leading axes repeat, as in broadcasting. Any dtype.
 * @throws VideomaeError when another axis differs
 */
export const expand: (x: Tensor, shape: readonly number[]) => Tensor = defineOp("expand", (_save, x, shape) => {
  const from = x.shape;
  return [nativeOp("expand", { x, shape }).y, (gradY) => [sumTo(gradY, from)]];
});
