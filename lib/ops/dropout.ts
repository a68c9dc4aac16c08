// Dropout, and drop path (stochastic depth). What is dropped is keyed by (seed, update, micro-step) of the random key in
// force and by the caller's module path: the same on every run, on any number of threads, and when a block is recomputed.
import { defineOp } from "../autograd/define-op.js";
import { randomKeyTensor } from "../autograd/random-key.js";
import { rejectUnknownOptions } from "../errors.js";
import { fnv1a } from "../random.js";
import { nativeOp } from "../tensor/native-op.js";
import type { Tensor } from "../tensor/tensor.js";

/** Options of dropout and dropPath. */
export interface DropoutOptions {
  /** The module path, e.g. "blocks.3.mlp": modules with different paths drop independently. */
  readonly path: string;
}

const drop = defineOp("dropout", (save, x: Tensor, probability: number, perSample: boolean, path: string) => {
  const key = randomKeyTensor(x.device);
  const saved = save({ key });
  const args = { probability, perSample, path: fnv1a(path) };
  return [
    nativeOp("dropout", { x, key, ...args }).y,
    (gradY) => [nativeOp("dropout", { x: gradY, ...saved(), ...args }).y],
  ];
});

/**
 * Zeroes each element of x (any shape) with the given probability and divides the others by its complement.
 * Probability 0 returns x itself.
 * @throws VideomaeError unless the probability is from 0 to 1
 */
export function dropout(x: Tensor, probability: number, options: DropoutOptions): Tensor {
  rejectUnknownOptions("dropout", options, ["path"]);
  return probability === 0 ? x : drop(x, probability, false, options.path);
}

/**
 * As dropout, for whole samples: x (B, ...) is zeroed for each index of the first axis with the given probability.
 * Probability 0 returns x itself.
 */
export function dropPath(x: Tensor, probability: number, options: DropoutOptions): Tensor {
  rejectUnknownOptions("dropPath", options, ["path"]);
  return probability === 0 ? x : drop(x, probability, true, options.path);
}
