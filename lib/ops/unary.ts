// Element-wise functions of one operand, f32 or f64; the result has its shape and dtype. Cost: one pass of memory.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** What the derivative is written in: the argument, the value, or neither. Only that is saved. */
type Saves = "x" | "y" | "none";

function define(kind: string, saves: Saves): (x: Tensor) => Tensor {
  return defineOp(kind, (save, x: Tensor) => {
    const { y } = nativeOp("unary", { kind, x });
    const saved = save(saves === "x" ? { x } : saves === "y" ? { y } : {});
    return [y, (gradY) => [nativeOp("unaryBackward", { kind, gradY, ...saved() }).gradX]];
  });
}

/** -x. */
export const neg = define("neg", "none");

/** e to the power of x. */
export const exp = define("exp", "y");

/** The natural logarithm: NaN below 0, -Infinity at 0. */
export const log = define("log", "x");

/** The square root: NaN below 0. */
export const sqrt = define("sqrt", "y");

/** x * x. */
export const square = define("square", "x");

/** |x|; its derivative at 0 is 0. */
export const abs = define("abs", "x");

/** max(x, 0), NaN for NaN; its derivative at 0 is 0. */
export const relu = define("relu", "x");

/** The hyperbolic tangent. */
export const tanh = define("tanh", "y");

/** 1 / (1 + e^-x). */
export const sigmoid = define("sigmoid", "y");

/** -1, 0 or 1, NaN for NaN; its derivative is 0. */
export const sign = define("sign", "none");

/** x * Phi(x) with the normal distribution function Phi: the exact (erf) GELU. */
export const gelu = define("gelu", "x");
