// The transpose of broadcasting: what every vector-Jacobian product of a broadcasting op ends with.
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** Sums `x` over the axes along which `shape` was broadcast to x's shape; the result has `shape`. Not recorded. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  const leading = x.rank - shape.length;
  const axes = x.shape.flatMap((size, i) => (i < leading || size !== shape[i - leading] ? [i] : []));
  if (axes.length === 0) return x;
  return nativeOp("sum", { x, axes }).y.view(shape);
}
