// How an op is written: its forward pass and, beside it, its vector-Jacobian product. The package's own ops and a
// user's are made the same way.
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { gradEnabled, noGrad } from "./grad-mode.js";
import { SavedTensors, TapeNode, type VectorJacobianProduct } from "./node.js";

/** Saves tensors for the backward pass; the returned function gives them back. */
export type Save = <R extends Record<string, Tensor | undefined>>(record: R) => () => R;

/**
 * Makes a differentiable op.
 *
 * `forward` gets `save` and the op's arguments, and returns the result and its vector-Jacobian product. The product
 * gets the gradient of the result and, for each tensor among the arguments (lists counted in place, absent ones left
 * out), whether its gradient is needed; it returns those gradients in the same order, undefined where there is none.
 * Everything else that either of them makes is freed when it returns.
 *
 * @example
 * const swish = defineOp("swish", (save, x: Tensor) => {
 *   const saved = save({ x });
 *   return [mul(x, sigmoid(x)), (gradY) => {
 *     const { x } = saved();
 *     const s = sigmoid(x);
 *     return [mul(gradY, add(s, mul(mul(x, s), sub(1, s))))];
 *   }];
 * });
 */
export function defineOp<A extends unknown[]>(
  name: string,
  forward: (save: Save, ...args: A) => readonly [Tensor, VectorJacobianProduct],
): (...args: A) => Tensor {
  return (...args: A): Tensor => {
    const inputs: readonly Tensor[] = args.flat().filter((a) => a instanceof Tensor);
    const recorded = gradEnabled() && inputs.some((x) => x.requiresGrad);
    const saved = new SavedTensors();
    const save: Save = (record) => (recorded ? saved.save(record) : () => record);
    let vjp: VectorJacobianProduct | undefined;
    let result: Tensor;
    try {
      result = scope(() =>
        noGrad(() => {
          const [y, product] = forward(save, ...args);
          vjp = product;
          return (inputs.includes(y) ? y.view(y.shape) : y).keep(); // an input keeps its own history and owner
        }),
      );
    } catch (error) {
      saved.dispose();
      throw error;
    }
    if (recorded) {
      result.requiresGrad = true;
      result.history = new TapeNode(name, result.dtype, inputs, vjp!, saved);
    }
    return result;
  };
}
