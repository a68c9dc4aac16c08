// Some work with a result that depends on every bit of it: a model's loss and gradients, hashed. Shared by the worker
// tests, on the main thread and on others.
import { createHash } from "node:crypto";
import { backward } from "#lib/autograd/backward.js";
import { pretrainModel } from "#lib/models/pretrain.js";
import { scope } from "#lib/tensor/scope.js";
import { Tensor } from "#lib/tensor/tensor.js";

/** @returns {string} a hash of the loss and all gradients of a small model */
export function work() {
  const model = pretrainModel("vit-tiny", { seed: 3 });
  const result = scope(() => {
    const pixels = Uint8Array.from({ length: 2 * 8 * 32 * 32 * 3 }, (_, i) => (i * 37) % 251);
    const tokens = (from, step) => Int32Array.from({ length: 2 * 16 }, (_, i) => from + step * (i % 16));
    const masks = {
      visible: Tensor.fromArray(tokens(0, 4), [2, 16]),
      decoded: Tensor.fromArray(tokens(1, 2), [2, 16]),
    };
    const loss = model.loss(Tensor.fromArray(pixels, [2, 8, 32, 32, 3]), masks);
    backward(loss);
    const hash = createHash("sha256").update(loss.readSync());
    for (const [, parameter] of model.namedParameters()) hash.update(parameter.value.grad.readSync());
    return hash.digest("hex");
  });
  model.dispose();
  return result;
}
