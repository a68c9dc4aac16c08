// The key of random ops (dropout, drop path): (seed, update, micro-step). An op adds its module path, so its numbers
// do not depend on what ran before it, and a recomputed block draws the same ones. Ops take it as a tensor: one that is
// overwritten between the replays of a captured step makes each replay draw its own numbers.
import { AsyncLocalStorage } from "node:async_hooks";
import type { Device } from "../tensor/dtype.js";
import { Tensor } from "../tensor/tensor.js";

/** What random ops of one micro-step are keyed by, besides their module path: integers below 2^53. */
export interface RandomKey {
  readonly seed: number;
  /** Optimiser updates done so far. */
  readonly update: number;
  /** Micro-batches of this update done so far. */
  readonly microStep: number;
}

const key = new AsyncLocalStorage<RandomKey | Tensor>();

/** The key in force, as it was given; without one, that of seed 0 before the first update. */
export function randomKey(): RandomKey | Tensor {
  return key.getStore() ?? { seed: 0, update: 0, microStep: 0 };
}

/** The key in force as a tensor on a device, f64 (3): seed, update, micro-step. */
export function randomKeyTensor(device: Device): Tensor {
  const value = randomKey();
  return value instanceof Tensor ? value : Tensor.fromArray(keyNumbers(value), [3], "f64", device);
}

/** The elements of a key's tensor. */
export function keyNumbers({ seed, update, microStep }: RandomKey): Float64Array {
  return Float64Array.of(seed, update, microStep);
}

/**
 * Runs `body` under a key.
 * @param value  numbers, or f64 (3) that lives as long as the graph that is made under it
 */
export function withRandomKey<T>(value: RandomKey | Tensor, body: () => T): T {
  return key.run(value, body);
}
