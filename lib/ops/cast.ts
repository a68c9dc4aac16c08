// Conversion between dtypes. Cost: one pass of memory.
import { defineOp } from "../autograd/define-op.js";
import type { DType } from "../tensor/dtype.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

const real: readonly DType[] = ["f64", "f32", "bf16"];

const castOp = defineOp("cast", (_save, x: Tensor, dtype: DType) => {
  const from = x.dtype;
  return [nativeOp("cast", { x, dtype }).y, (gradY) => [nativeOp("cast", { x: gradY, dtype: from }).y]];
});

const convert = (x: Tensor, dtype: DType): Tensor => nativeOp("cast", { x, dtype }).y;

/** x as the dtype in which its numbers are computed: bf16 as f32, any other x itself. */
export function widened(x: Tensor): Tensor {
  return x.dtype === "bf16" ? cast(x, "f32") : x;
}

/**
 * x as another dtype. To bf16: to nearest, ties to even. To integers: towards zero, clamped to what the dtype holds, NaN
 * becomes 0. To bool: whether it differs from 0. Gradients pass between f64, f32 and bf16; a result of another dtype has
 * no history.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  return real.includes(dtype) && real.includes(x.dtype) ? castOp(x, dtype) : convert(x, dtype);
}
