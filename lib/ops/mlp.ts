// A perceptron of two layers: linear, exact GELU, linear. One op rather than two, because the backward pass of the second
// product then ends with the GELU's derivative and the sums of the first bias's gradient: the gradient of the hidden
// layer is written once, and never read only to be multiplied. Saves the hidden layer before the GELU only: the backward
// pass makes what came after it again, of the pre-activation as it is rounded.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp, unneeded } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** The parameters of one layer. */
export interface MlpLayer {
  /** (O, I) */
  readonly weight: Tensor;
  /** (O) */
  readonly bias?: Tensor;
  /** As for `linear`. */
  readonly packed?: Tensor;
}

const apply = defineOp(
  "mlp",
  (
    save,
    x: Tensor,
    weight1: Tensor,
    bias1: Tensor | undefined,
    weight2: Tensor,
    bias2: Tensor | undefined,
    residual: Tensor | undefined,
    { packed1, packed2 }: { packed1?: Tensor; packed2?: Tensor },
  ) => {
    const first = nativeOp("linear", { x, weight: weight1, bias: bias1, packed: packed1, gelu: true });
    const { y } = nativeOp("linear", { x: first.y, weight: weight2, bias: bias2, residual, packed: packed2 });
    const savedFirst = save({ x, weight: weight1 });
    const savedSecond = save({ weight: weight2, inputPreactivation: first.preactivation });
    return [
      y,
      (gradY, [needX, needWeight1, needBias1, needWeight2, needBias2, needResidual], into) => {
        const needHidden = needX || needWeight1;
        const second = nativeOp(
          "linearBackward",
          { gradY, ...savedSecond(), gradWeight: into(3), gradBias: into(4), gradInputBias: into(2) },
          unneeded({ gradX: needHidden, gradWeight: needWeight2, gradBias: needBias2, gradInputBias: needBias1 }),
        );
        const first = needHidden
          ? nativeOp(
              "linearBackward",
              { gradY: second.gradX, ...savedFirst(), gradWeight: into(1) },
              unneeded({ gradX: needX, gradWeight: needWeight1, gradBias: false }),
            )
          : undefined;
        const firstLayer = [first?.gradX, first?.gradWeight, second.gradInputBias];
        return [...firstLayer, second.gradWeight, second.gradBias, needResidual ? gradY : undefined];
      },
    ];
  },
);

/**
 * `gelu(x · weight1ᵀ + bias1) · weight2ᵀ + bias2 (+ residual)`, with the exact (erf) GELU.
 * @param x  (..., I) f32, f64 or bf16; weights are of its dtype, biases of the dtype in which it is computed
 * @param first  weight (H, I), bias (H)
 * @param second  weight (O, H), bias (O)
 * @param residual  (..., O), added last
 * @returns (..., O)
 * @throws VideomaeError when shapes or dtypes do not fit
 */
export function mlp(x: Tensor, first: MlpLayer, second: MlpLayer, residual?: Tensor): Tensor {
  const packed = { packed1: first.packed, packed2: second.packed };
  return apply(x, first.weight, first.bias, second.weight, second.bias, residual, packed);
}
