// A perceptron of two layers: linear, exact GELU, linear. One op rather than two, because the backward pass of the second
// product then ends with the GELU's derivative and the sums of the first bias's gradient: the gradient of the hidden
// layer is written once, and never read only to be multiplied. Saves the hidden layer before and after the GELU.
import { defineOp } from "../autograd/define-op.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** The parameters of one layer. */
export interface MlpLayer {
  /** (O, I) */
  readonly weight: Tensor;
  /** (O) */
  readonly bias: Tensor;
}

const apply = defineOp(
  "mlp",
  (
    save,
    x: Tensor,
    weight1: Tensor,
    bias1: Tensor,
    weight2: Tensor,
    bias2: Tensor,
    residual: Tensor | undefined,
  ) => {
    const first = nativeOp("linear", { x, weight: weight1, bias: bias1, gelu: true });
    const { y } = nativeOp("linear", { x: first.y, weight: weight2, bias: bias2, residual });
    const saved = save({ x, weight1, weight2, hidden: first.y, preactivation: first.preactivation });
    return [
      y,
      (gradY, [needX, needWeight1, needBias1, needWeight2, needBias2, needResidual]) => {
        const { x, weight1, weight2, hidden, preactivation } = saved();
        const needHidden = needX || needWeight1;
        const second = nativeOp(
          "linearBackward",
          { gradY, x: hidden, weight: weight2, inputPreactivation: preactivation },
          unneeded({ gradX: needHidden, gradWeight: needWeight2, gradBias: needBias2, gradInputBias: needBias1 }),
        );
        const first = needHidden
          ? nativeOp(
              "linearBackward",
              { gradY: second.gradX, x, weight: weight1 },
              unneeded({ gradX: needX, gradWeight: needWeight1, gradBias: false }),
            )
          : undefined;
        const gradients = [first?.gradX, first?.gradWeight, second.gradInputBias, second.gradWeight, second.gradBias];
        return residual === undefined ? gradients : [...gradients, needResidual ? gradY : undefined];
      },
    ];
  },
);

/** The names of the outputs that are not needed. */
function unneeded(outputs: Readonly<Record<string, boolean>>): string[] {
  return Object.keys(outputs).filter((name) => !outputs[name]);
}

/**
 * `gelu(x · weight1ᵀ + bias1) · weight2ᵀ + bias2 (+ residual)`, with the exact (erf) GELU.
 * @param x  (..., I) f32, f64 or bf16; weights are of its dtype, biases of the dtype it is computed in
 * @param first  weight (H, I), bias (H)
 * @param second  weight (O, H), bias (O)
 * @param residual  (..., O), added last
 * @returns (..., O)
 * @throws VideomaeError when shapes or dtypes do not fit
 */
export function mlp(x: Tensor, first: MlpLayer, second: MlpLayer, residual?: Tensor): Tensor {
  return apply(x, first.weight, first.bias, second.weight, second.bias, residual);
}
