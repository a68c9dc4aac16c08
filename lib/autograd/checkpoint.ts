// Activation recomputation: a block's forward pass is run without saving anything, and run again when its gradient is
// needed. Trades one more forward pass for the memory of everything the block would have saved. The second run uses
// the same random key, so it is bit-equal to the first.
import type { Tensor } from "../tensor/tensor.js";
import { backward } from "./backward.js";
import { defineOp } from "./define-op.js";
import { withGrad } from "./grad-mode.js";
import { randomKey, withRandomKey } from "./random-key.js";

const recompute = defineOp("checkpoint", (save, block: (...inputs: Tensor[]) => Tensor, inputs: Tensor[]) => {
  const record = Object.fromEntries(inputs.map((x, i) => [String(i), x]));
  const saved = save(record);
  const key = randomKey();
  const wanted = inputs.map((x) => x.requiresGrad);
  const y = block(...inputs);
  return [
    y,
    (gradY) => {
      const again = Object.values(saved()).map((x, i) => {
        x.requiresGrad = wanted[i];
        return x;
      });
      const z = withGrad(() => withRandomKey(key, () => block(...again)));
      if (z.history === undefined) return again.map((x) => (x === z ? gradY : undefined)); // nothing was computed
      backward(z, gradY);
      return again.map((x) => x.grad);
    },
  ];
});

/**
 * `block(...inputs)`, saving only the inputs. Parameters that the block uses get their gradients as usual; at least
 * one input must require a gradient for the backward pass to reach the block.
 */
export function checkpoint(block: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  return recompute(block, inputs);
}
