// How an op is written: its forward pass and, beside it, its vector-Jacobian product. The package's own ops and a
// user's are made the same way.
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { gradEnabled, noGrad } from "./grad-mode.js";
import {
  type JointVectorJacobianProduct,
  type Remake,
  SavedTensors,
  TapeNode,
  TapeOutput,
  type VectorJacobianProduct,
} from "./node.js";

/** Saves tensors for the backward pass; the returned function gives them back. */
export type Save = <R extends Record<string, Tensor | undefined>>(record: R) => () => R;

/**
 * Makes a differentiable op.
 *
 * `forward` gets `save` and the op's arguments, and returns the result and its vector-Jacobian product. The product
 * gets the gradient of the result and, for each tensor among the arguments (lists counted in place, `undefined` as an
 * absent one), whether its gradient is needed; it returns those gradients in the same order, undefined where there is
 * none. Everything else that either of them makes is freed when it returns.
 *
 * The product also gets `into`: `into(i)` is a tensor to which it may add the gradient of input i instead of returning it,
 * or undefined. And `forward` may return a third thing, a function that makes the result again of what was saved: then
 * nobody who needs the result in the backward pass keeps it until then.
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
  forward: (save: Save, ...args: A) => readonly [Tensor, VectorJacobianProduct, Remake?],
): (...args: A) => Tensor {
  const joint = defineJointOp(name, (save, ...args: A) => {
    const [y, product, remake] = forward(save, ...args);
    return [[y], ([gradY], needs, into) => product(gradY!, needs, into), [remake]] as const;
  });
  return (...args: A): Tensor => joint(...args)[0];
}

/**
 * The same for an op with several results: `forward` returns them as a tuple, and its product gets the gradient of each,
 * undefined where none arrived; the functions that make results again are a list, too.
 */
export function defineJointOp<A extends unknown[], const Y extends readonly Tensor[]>(
  name: string,
  forward: (save: Save, ...args: A) => readonly [Y, JointVectorJacobianProduct, (readonly (Remake | undefined)[])?],
): (...args: A) => Y {
  return (...args: A): Y => {
    const inputs = args.flat().filter((a) => a === undefined || a instanceof Tensor) as (Tensor | undefined)[];
    const recorded = gradEnabled() && inputs.some((x) => x?.requiresGrad);
    const saved = new SavedTensors();
    const save: Save = (record) => (recorded ? saved.save(record) : () => record);
    let vjp: JointVectorJacobianProduct | undefined;
    let remakes: readonly (Remake | undefined)[] = [];
    let results: Tensor[];
    try {
      results = scope(() =>
        noGrad(() => {
          const [ys, product, makers] = forward(save, ...args);
          vjp = product;
          remakes = makers ?? [];
          // An input keeps its own history and owner.
          return ys.map((y) => (inputs.includes(y) ? y.view(y.shape) : y).keep());
        }),
      );
    } catch (error) {
      saved.dispose();
      throw error;
    }
    if (recorded) {
      const dtypes = results.map((y) => y.dtype);
      const node = new TapeNode(name, dtypes, inputs, vjp!, saved, remakes);
      for (const [output, y] of results.entries()) {
        y.requiresGrad = true;
        y.history = new TapeOutput(node, output);
      }
    }
    return results as unknown as Y;
  };
}
