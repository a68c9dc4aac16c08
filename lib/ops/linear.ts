// The linear layer: one product with its epilogue (bias, exact GELU, residual).
import { defineOp } from "../autograd/define-op.js";
import { nativeOp, unneeded } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** What a linear layer does besides the product. */
export interface LinearOptions {
  /** (O) */
  readonly bias?: Tensor;
  /** (..., O), added last: the residual stream. */
  readonly residual?: Tensor;
  /** Applies the exact (erf) GELU after the bias. */
  readonly gelu?: boolean;
  /** What `packWeight` made of the weight as it is now: the product reads it instead, and gives the same bits sooner. */
  readonly packed?: Tensor;
}

const apply = defineOp(
  "linear",
  (
    save,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | undefined,
    residual: Tensor | undefined,
    { gelu, packed }: Pick<LinearOptions, "gelu" | "packed">,
  ) => {
    const { y, preactivation } = nativeOp("linear", { x, weight, bias, residual, packed, gelu });
    const saved = save({ x, weight, preactivation });
    return [
      y,
      (gradY, [needX, needWeight, needBias, needResidual], into) => {
        const { gradX, gradWeight, gradBias } = nativeOp(
          "linearBackward",
          { gradY, ...saved(), gradWeight: into(1), gradBias: into(2) },
          unneeded({ gradX: needX, gradWeight: needWeight, gradBias: needBias }),
        );
        return [gradX, gradWeight, gradBias, needResidual ? gradY : undefined];
      },
    ];
  },
);

/**
 * `x · weightᵀ (+ bias) (then GELU) (+ residual)`.
 * @param x  (..., I) f32 or f64
 * @param weight  (O, I)
 * @returns (..., O)
 * @throws VideomaeError when shapes or dtypes do not fit
 */
export function linear(x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  const { gelu = false, packed } = options;
  return apply(x, weight, options.bias, options.residual, { gelu, packed });
}

/**
 * A weight as products on the CPU read it, for many products with one weight. It holds for the instruction set in use,
 * and until the weight is written.
 * @param weight  (O, I) on the CPU
 * @returns u8
 */
export function packWeight(weight: Tensor): Tensor {
  return nativeOp("packWeight", { weight }).packed;
}
