// Tensors joined along an axis. Cost: one copy of the result.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp } from "../tensor/native-op.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor } from "../tensor/tensor.js";
import { reshape } from "./reshape.js";

/**
 * The tensors joined along an axis that they all have; their other axes and dtypes must agree. Any dtype.
 * @throws VideomaeError when the list is empty or a tensor does not fit the first
 */
export const cat: (xs: readonly Tensor[], axis?: number) => Tensor = defineOp("cat", (_save, xs, axis = 0) => {
  const sizes = xs.map((x) => x.shape.at(axis) ?? 0);
  return [
    nativeOp("cat", { xs, axis }).y,
    (gradY, needs) => {
      let end = 0;
      return sizes.map((length, i) => {
        const start = end;
        end += length;
        return needs[i] ? nativeOp("slice", { x: gradY, axis, start, length }).y : undefined;
      });
    },
  ];
});

/** Tensors of one shape joined along a new axis, which goes before axis `axis` of theirs. Any dtype. */
export function stack(xs: readonly Tensor[], axis = 0): Tensor {
  const at = axis < 0 ? axis + (xs[0]?.rank ?? 0) + 1 : axis;
  return scope(() => {
    const parts = xs.map((x) => reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]));
    return keep(cat(parts, at));
  });
}
