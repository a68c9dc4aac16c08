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
    const saved = save({ x, weight1, weight2, hidden: first.y, preactivation: first.preactivation });
    return [
      y,
      (gradY, needs) => {
        const next = needs[Symbol.iterator]();
        const need = (input: Tensor | undefined) => input !== undefined && next.next().value === true;
        const [needX, needWeight1, needBias1] = [need(x), need(weight1), need(bias1)];
        const [needWeight2, needBias2, needResidual] = [need(weight2), need(bias2), need(residual)];
        const { hidden, preactivation, ...kept } = saved();
        const needHidden = needX || needWeight1;
        const second = nativeOp(
          "linearBackward",
          { gradY, x: hidden, weight: kept.weight2, inputPreactivation: preactivation },
          unneeded({ gradX: needHidden, gradWeight: needWeight2, gradBias: needBias2, gradInputBias: needBias1 }),
        );
        const first = needHidden
          ? nativeOp(
              "linearBackward",
              { gradY: second.gradX, x: kept.x, weight: kept.weight1 },
              unneeded({ gradX: needX, gradWeight: needWeight1, gradBias: false }),
            )
          : undefined;
        const gradients = [
          [x, first?.gradX],
          [weight1, first?.gradWeight],
          [bias1, second.gradInputBias],
          [weight2, second.gradWeight],
          [bias2, second.gradBias],
          [residual, needResidual ? gradY : undefined],
        ] as const;
        return gradients.filter(([input]) => input !== undefined).map(([, gradient]) => gradient);
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
